/* The part of lurcher.native.task that is about scopes. */
#ifndef LURCHER_SCRIPT_TASK_BIND_SCOPES_H
#define LURCHER_SCRIPT_TASK_BIND_SCOPES_H

#include <lauxlib.h>

extern const luaL_Reg task_scope_functions[], task_scope_blocking[];

/* Registers the scopes' metatable. Can raise. */
void task_open_scopes(lua_State *L);

#endif
