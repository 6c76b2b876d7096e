/* How deep calls of C functions are nested: LuaJIT checks its own stack, not that of C. */
#ifndef LURCHER_SCRIPT_TASK_DEPTH_H
#define LURCHER_SCRIPT_TASK_DEPTH_H

#include <lua.h>
#include <stdbool.h>

/* A C function is about to call back, and has. Raises where they are nested too deep. `level` is what
 * depth_enter gave; it need not be left when an error goes through. */
unsigned depth_enter(lua_State *L);
void depth_leave(lua_State *L, unsigned level);

/* nest_limit(most) -> how deep coroutines may be nested, at most that; too_deep() raises where it was the
 * host that limited it */
int depth_nest_limit(lua_State *L);
int depth_too_deep(lua_State *L);

/* Whether the code that runs is nested too deep in C functions and metamethods. */
bool depth_is_over(lua_State *L, unsigned most);

#endif
