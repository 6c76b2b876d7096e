/* Classes of userdata. */
#ifndef LURCHER_SCRIPT_LUA_CLASS_H
#define LURCHER_SCRIPT_LUA_CLASS_H

#include <lua.h>

/* Makes the metatable of that name, and leaves its table of methods on the stack. Can raise (memory). */
void class_new(lua_State *L, const char *name, lua_CFunction collect);

#endif
