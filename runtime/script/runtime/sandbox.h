/* Scripts that do not get all of Lua's libraries (lur_options.libraries): each has globals of its own, made
 * of what lua/lurcher/task/sandbox.lua names. */
#ifndef LURCHER_SCRIPT_RUNTIME_SANDBOX_H
#define LURCHER_SCRIPT_RUNTIME_SANDBOX_H

#include "script/task/task_internal.h"

/* Before the prelude runs, and after that. Do nothing where scripts get everything. Can raise. */
void sandbox_prepare(lua_State *L);
void sandbox_open(lua_State *L);

/* Gives the chunk on top of the stack its globals. False: scripts get everything. Can raise. */
bool sandbox_give_globals(lua_State *L);

#endif
