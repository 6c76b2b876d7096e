/* Keys of objects come again and again. To find one among those seen before costs a fifth of what it costs
 * Lua to make the same string again: no copy, no hash of all its bytes, no step of the collector. */
#ifndef LURCHER_SCRIPT_JSON_KEYS_H
#define LURCHER_SCRIPT_JSON_KEYS_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_KEY_COUNT = 256, JSON_KEY_LENGTH = 30 };

/* All-zero is empty. The strings themselves are in a Lua table, at the entries' numbers. */
typedef struct {
  struct {
    uint8_t length; /* 0: none */
    uint8_t worth;  /* how often others must ask for its place before it is given away */
    char bytes[JSON_KEY_LENGTH];
  } entries[JSON_KEY_COUNT];
} json_keys;

/* Pushes an empty table for the strings. Can raise. */
void json_keys_push_table(lua_State *L);

/* Pushes the string of `length` bytes at `key`; the table is at stack index `table`. Can raise. */
void json_keys_push(json_keys *keys, lua_State *L, int table, const char *key, size_t length);

#endif
