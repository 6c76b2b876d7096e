/* What the parts of lurcher.native.json (json.c) have in common. */
#ifndef LURCHER_SCRIPT_JSON_INTERNAL_H
#define LURCHER_SCRIPT_JSON_INTERNAL_H

#include <lua.h>

/* Upvalues of the C functions that call what is declared here: the metatables that mark arrays and objects,
 * and for json_build its memory. */
#define JSON_ARRAY_MARK  lua_upvalueindex(1)
#define JSON_OBJECT_MARK lua_upvalueindex(2)
#define JSON_MEMORY      lua_upvalueindex(3)

#endif
