/* Where `require` finds what is linked in: Lua modules as bytecode (lua/lurcher), C modules (natives.def). */
#ifndef LURCHER_SCRIPT_PRELOAD_H
#define LURCHER_SCRIPT_PRELOAD_H

#include <lua.h>

/* Makes package.preload find every module linked in. Can raise (memory). */
void preload_open(lua_State *L);

/* Pushes the compiled main function of an embedded Lua module; false (nothing pushed) when there is none of
 * that name. Can raise (memory). */
int preload_push(lua_State *L, const char *name);

#endif
