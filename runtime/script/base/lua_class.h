/* Classes of userdata. */
#ifndef LURCHER_SCRIPT_LUA_CLASS_H
#define LURCHER_SCRIPT_LUA_CLASS_H

#include <lua.h>

#include <lauxlib.h> /* wants lua.h */

/* Makes the metatable of that name, for userdata that `collect` gives up, and leaves its table of methods on
 * the stack, for what is added to it; `methods` may be NULL. Can raise (memory). */
void class_new(lua_State *L, const char *name, lua_CFunction collect, const luaL_Reg *methods);

#endif
