#ifndef LURCHER_SCRIPT_LIBRARY_STRING_H
#define LURCHER_SCRIPT_LIBRARY_STRING_H

#include <lua.h>
#include <stdbool.h>

/* find, match, gmatch, gsub, and tostring: see library.h. */
void library_open_string(lua_State *L, bool hooked);

/* find, match and gmatch alone, in the table on top of the stack. */
void library_replace_matching(lua_State *L);

#endif
