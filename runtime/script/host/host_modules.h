/* Modules that the host has for scripts: lur_preload, and lur_options.load_module and module_path. */
#ifndef LURCHER_SCRIPT_HOST_MODULES_H
#define LURCHER_SCRIPT_HOST_MODULES_H

#include <lua.h>

/* Sets package.path as the host wants it. Before any module of ours is loaded. Can raise (memory). */
void host_modules_open(lua_State *L);

/* offered(name) -> its source, a name for messages and the mode for `load`; nothing: the host has none. */
int host_modules_find(lua_State *L);

/* has_path() -> whether the host has set where modules are looked for */
int host_modules_has_path(lua_State *L);

#endif
