/* From JSON text to Lua values. */
#ifndef LURCHER_SCRIPT_JSON_BUILD_H
#define LURCHER_SCRIPT_JSON_BUILD_H

#include "format/json/json_check.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

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

#endif
