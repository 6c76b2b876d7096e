#ifndef LURCHER_SCRIPT_LIBRARY_TABLE_H
#define LURCHER_SCRIPT_LIBRARY_TABLE_H

#include <lua.h>

/* sort, and what goes through a whole table in one call: see library.h. */
void library_open_table(lua_State *L);

#endif
