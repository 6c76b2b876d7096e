/* From Lua values to JSON text. */
#ifndef LURCHER_SCRIPT_JSON_ENCODE_H
#define LURCHER_SCRIPT_JSON_ENCODE_H

#include <lua.h>
#include <stdbool.h>

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
