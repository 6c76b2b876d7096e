/* native.profile{…}: from a table of checked options to the options of transfers. */
#ifndef LURCHER_SCRIPT_HTTP_OPTIONS_H
#define LURCHER_SCRIPT_HTTP_OPTIONS_H

#include <lua.h>

/* native.profile{…}: pushes a handle of transfer options. */
int http_new_options(lua_State *L);

#endif
