#include "script/json/json_keys.h"

#include <string.h>

/* A document whose keys are all different must not push out those that do come again. */
enum { MAX_WORTH = 8 };

void json_keys_push_table(lua_State *L) { lua_createtable(L, JSON_KEY_COUNT, 0); }

static unsigned place_of(const char *key, size_t length)
{
  const unsigned char *bytes = (const unsigned char *)key;
  return ((unsigned)length + bytes[0] * 7u + bytes[length / 2] * 31u + bytes[length - 1] * 131u) %
         JSON_KEY_COUNT;
}

void json_keys_push(json_keys *keys, lua_State *L, int table, const char *key, size_t length)
{
  if (length == 0 || length > JSON_KEY_LENGTH) {
    lua_pushlstring(L, key, length);
    return;
  }
  unsigned place = place_of(key, length);
  if (keys->entries[place].length == length && !memcmp(keys->entries[place].bytes, key, length)) {
    if (keys->entries[place].worth < MAX_WORTH) keys->entries[place].worth++;
    lua_rawgeti(L, table, (int)place + 1);
    return;
  }
  lua_pushlstring(L, key, length);
  if (keys->entries[place].worth) {
    keys->entries[place].worth--;
    return;
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, table, (int)place + 1);
  keys->entries[place].length = (uint8_t)length;
  memcpy(keys->entries[place].bytes, key, length);
}
