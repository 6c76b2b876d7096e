/* JSON to Lua values and back: the parts of lurcher.native.json (json.c). */
#ifndef LURCHER_SCRIPT_JSON_LUA_H
#define LURCHER_SCRIPT_JSON_LUA_H

#include "format/json/json_check.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Upvalues of the C functions that call what is declared here: the metatables that mark arrays and objects,
 * and for json_build its memory. */
#define JSON_ARRAY_MARK  lua_upvalueindex(1)
#define JSON_OBJECT_MARK lua_upvalueindex(2)
#define JSON_MEMORY      lua_upvalueindex(3)

/* What decoding keeps from text to text: keys seen before, and the room for the sizes that json_check notes.
 */
typedef struct json_memory json_memory;

/* Pushes one, a userdata. Can raise. */
void json_push_memory(lua_State *L);

/* The sizes in the memory that is the running function's upvalue. */
json_sizes *json_memory_sizes(lua_State *L);

/* Pushes the value of `text`, which json_check must have found right with the same `big_as_numbers`, its
 * sizes being those of the memory. Empty arrays get the array mark. Can raise (memory, Lua stack full). */
void json_build(lua_State *L, const char *text, size_t length, bool big_as_numbers);

typedef struct {
  bool pretty;   /* one item per line, indented by two spaces */
  bool secrets;  /* secrets may be written */
  int sort_keys; /* stack index of a Lua function that gives the list of a table's keys in order; 0: as they
                    come */
} json_style;

/* Pushes the JSON of the value at stack index `index` and returns true; or pushes what is wrong, as in
 * "cannot encode a function at .items[3].callback", and returns false. Can raise (memory, errors in a
 * __tojson function). */
bool json_encode(lua_State *L, int index, json_style style);

#endif
