/* Functions of Lua's libraries that work long in C, or call back from there, made anew: they count their
 * steps and their depth, so that the limits of a runtime hold in them, too. */
#ifndef LURCHER_SCRIPT_LIBRARY_LIBRARY_H
#define LURCHER_SCRIPT_LIBRARY_LIBRARY_H

#include <lua.h>
#include <stdbool.h>

/* After Lua's libraries were opened. `hooked`: the runtime has limits; without them only what could use up
 * the C stack is replaced. Can raise (memory). */
void library_open(lua_State *L, bool hooked);

#endif
