#include "script/json/json_encode.h"

#include "format/json/json_check.h"
#include "format/json/json_write.h"
#include "script/json/json_internal.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LUA_TCDATA 10 /* LuaJIT's type of int64_t and other C values */
#define TWO_53     9007199254740992.0

/* A table being written, and the place in it. */
typedef struct place {
  const struct place *outer;
  const void *table;
  const char *key; /* NULL: an item of a list */
  size_t key_length;
  double item;
} place;

typedef struct {
  lua_State *L;
  json_style style;
  unsigned depth;
  char *bytes; /* `few`, or the userdata at stack index `slot`, so that a Lua error leaves nothing behind */
  size_t length, capacity;
  int slot;
  char few[1024];
} encoder;

typedef enum { UNMARKED, ARRAY, OBJECT } mark;

static bool encode_value(encoder *e, const place *at);

/* Room for `more` bytes behind what is written. */
static inline char *room(encoder *e, size_t more)
{
  if (e->capacity - e->length < more) {
    size_t capacity = e->capacity;
    do {
      if (capacity > (size_t)-1 / 2) luaL_error(e->L, "not enough memory");
      capacity *= 2;
    } while (capacity - e->length < more);
    char *bytes = lua_newuserdata(e->L, capacity);
    memcpy(bytes, e->bytes, e->length);
    lua_replace(e->L, e->slot);
    e->bytes = bytes;
    e->capacity = capacity;
  }
  return e->bytes + e->length;
}

static inline void put(encoder *e, const char *text, size_t length)
{
  memcpy(room(e, length), text, length);
  e->length += length;
}

/* In pretty style, starts a line at the present depth. */
static inline void put_line(encoder *e)
{
  if (!e->style.pretty) return;
  size_t indent = 2 * (size_t)e->depth;
  char *out = room(e, indent + 1);
  *out = '\n';
  memset(out + 1, ' ', indent);
  e->length += indent + 1;
}

static bool put_string(encoder *e, const char *text, size_t length)
{
  size_t quoted = json_quoted_length(text, length);
  if (!quoted) return false;
  e->length += json_write_string(text, length, quoted, room(e, quoted));
  return true;
}

static bool is_name(const char *text, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    if (c != '_' && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(i && c >= '0' && c <= '9'))
      return false;
  }
  return length > 0;
}

/* Writes the path to a place into out[size], its front cut if need be; returns where it starts. */
static const char *write_path(const place *at, char *out, size_t size)
{
  char *start = out + size - 1;
  *start = 0;
  for (; at; at = at->outer) {
    char step[64];
    if (!at->key)
      snprintf(step, sizeof step, "[%.0f]", at->item);
    else
      snprintf(step, sizeof step, is_name(at->key, at->key_length) ? ".%.40s%s" : "[\"%.40s%s\"]", at->key,
               at->key_length > 40 ? "…" : ""); /* by which the beginning of a secret is known */
    size_t length = strlen(step);
    if ((size_t)(start - out) < length + 3) return memcpy(start - 3, "...", 3);
    start -= length;
    memcpy(start, step, length);
  }
  return start;
}

/* Pushes the message and returns false. */
__attribute__((noinline, cold)) static bool fail(encoder *e, const place *at, const char *what,
                                                 const char *advice)
{
  char path[256];
  const char *start = write_path(at, path, sizeof path);
  luaL_checkstack(e->L, 4, "JSON");
  lua_pushfstring(e->L, "cannot encode %s%s%s%s%s", what, *start ? " at " : "", start, *advice ? "; " : "",
                  advice);
  return false;
}

static bool is_item(lua_State *L, int key)
{
  if (lua_type(L, key) != LUA_TNUMBER) return false;
  double value = lua_tonumber(L, key);
  return value >= 1 && value <= 2147483647 && value == floor(value);
}

/* The table at `table` is neither a list nor an object: says why. */
static bool fail_table(encoder *e, int table, const place *at, mark marked)
{
  lua_State *L = e->L;
  const char *advice = marked == UNMARKED ? "json.object(t) writes whole numbers as keys" : "";
  double highest = 0;
  int name = 0; /* stack index of a string key */
  lua_pushnil(L);
  lua_pushnil(L);
  for (int key = lua_gettop(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_type(L, key) == LUA_TSTRING) {
      name = key - 1;
      lua_pushvalue(L, key);
      lua_replace(L, name);
    } else if (is_item(L, key)) {
      if (lua_tonumber(L, key) > highest) highest = lua_tonumber(L, key);
    } else if (lua_type(L, key) == LUA_TNUMBER) {
      lua_pushfstring(L, "a table with the key %f", lua_tonumber(L, key));
      return fail(e, at, lua_tostring(L, -1), advice);
    } else {
      lua_pushfstring(L, "a table with a %s as key", luaL_typename(L, key));
      return fail(e, at, lua_tostring(L, -1), "");
    }
  }
  if (name) {
    const char *beside = marked == ARRAY ? "the mark of json.array" : "list items";
    lua_pushfstring(L, "a table with %s and the key '%s'", beside, lua_tostring(L, name));
    return fail(e, at, lua_tostring(L, -1), advice);
  }
  int missing = 1;
  for (bool there = true; there; missing += there) {
    lua_rawgeti(L, table, missing);
    there = !lua_isnil(L, -1);
    lua_pop(L, 1);
  }
  lua_pushfstring(L, "a list with item %f but without item %d", highest, missing);
  return fail(e, at, lua_tostring(L, -1),
              marked ? "json.null fills a gap"
                     : "json.null fills a gap, json.object(t) writes whole numbers as keys");
}

static bool encode_item(encoder *e, place *here, double item)
{
  if (item > 1) put(e, ",", 1);
  put_line(e);
  here->item = item;
  return encode_value(e, here);
}

/* The items of a list whose keys do not come as 1, 2, 3 …; or it is no list. */
static bool encode_shuffled(encoder *e, int table, place *here, mark marked)
{
  lua_State *L = e->L;
  int count = 0;
  double highest = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1), count++) {
    if (!is_item(L, -2)) return fail_table(e, table, here->outer, marked);
    if (lua_tonumber(L, -2) > highest) highest = lua_tonumber(L, -2);
  }
  if (count != highest) return fail_table(e, table, here->outer, marked);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, table, i);
    if (!encode_item(e, here, i)) return false;
    lua_pop(L, 1);
  }
  return true;
}

/* The items of the list at `table`. One filled in order is traversed in order, and that finds stray keys too.
 */
static bool encode_items(encoder *e, int table, place *here, mark marked)
{
  lua_State *L = e->L;
  size_t start = e->length;
  double count = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TNUMBER || lua_tonumber(L, -2) != ++count) {
      lua_pop(L, 2);
      e->length = start;
      return encode_shuffled(e, table, here, marked);
    }
    if (!encode_item(e, here, count)) return false;
  }
  return true;
}

/* One pair of an object: the key is at -2, the value at -1. */
static bool encode_pair(encoder *e, int table, place *here, mark marked)
{
  lua_State *L = e->L;
  char digits[JSON_NUMBER_SIZE];
  if (lua_type(L, -2) == LUA_TSTRING) {
    here->key = lua_tolstring(L, -2, &here->key_length);
  } else {
    double number = lua_tonumber(L, -2);
    if (lua_type(L, -2) != LUA_TNUMBER || marked != OBJECT || number != floor(number) ||
        fabs(number) > TWO_53)
      return fail_table(e, table, here->outer, marked);
    here->key = digits;
    here->key_length = json_write_number(number, digits);
    digits[here->key_length] = 0;
    lua_pushlstring(L, here->key, here->key_length);
    lua_rawget(L, table);
    if (!lua_isnil(L, -1)) return fail(e, here, "a key that is there as a number and as a string", "");
    lua_pop(L, 1);
  }
  put_line(e);
  if (!put_string(e, here->key, here->key_length)) return fail(e, here, "a key that is not UTF-8", "");
  put(e, ": ", e->style.pretty ? 2 : 1);
  if (!encode_value(e, here)) return false;
  put(e, ",", 1);
  return true;
}

static bool encode_pairs(encoder *e, int table, place *here, mark marked)
{
  lua_State *L = e->L;
  if (!e->style.sort_keys) {
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
      if (!encode_pair(e, table, here, marked)) return false;
  } else {
    lua_pushvalue(L, e->style.sort_keys);
    lua_pushvalue(L, table);
    lua_call(L, 1, 1);
    int keys = lua_gettop(L), count = (int)lua_objlen(L, keys);
    for (int i = 1; i <= count; i++) {
      lua_rawgeti(L, keys, i);
      lua_pushvalue(L, -1);
      lua_rawget(L, table);
      if (!encode_pair(e, table, here, marked)) return false;
      lua_pop(L, 2);
    }
    lua_pop(L, 1);
  }
  return true;
}

/* An unmarked table is a list if its first key is a number, and an object if it has none. */
static bool looks_like_list(lua_State *L, int table)
{
  lua_pushnil(L);
  if (!lua_next(L, table)) return false;
  bool number = lua_type(L, -2) == LUA_TNUMBER;
  lua_pop(L, 2);
  return number;
}

/* The table at the top of the stack. */
static bool encode_table(encoder *e, const place *at, mark marked)
{
  lua_State *L = e->L;
  int table = lua_gettop(L);
  place here = {.outer = at, .table = lua_topointer(L, -1)};
  for (const place *p = at; p; p = p->outer)
    if (p->table == here.table) return fail(e, at, "a table within itself", "");
  if (e->depth == JSON_MAX_DEPTH) return fail(e, at, "more than 1000 tables within each other", "");
  luaL_checkstack(L, 12, "JSON");

  bool list = marked == ARRAY || (marked == UNMARKED && looks_like_list(L, table));
  put(e, list ? "[" : "{", 1);
  size_t start = e->length;
  e->depth++;
  if (!(list ? encode_items : encode_pairs)(e, table, &here, marked)) return false;
  e->depth--;
  if (e->length > start) {
    if (!list) e->length--; /* the last comma */
    put_line(e);
  }
  put(e, list ? "]" : "}", 1);
  return true;
}

static bool meta_field(lua_State *L, const char *name)
{
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  if (lua_toboolean(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

/* A table or userdata with a metatable of its own (at the top of the stack, above the value). */
static bool encode_object(encoder *e, const place *at)
{
  lua_State *L = e->L;
  bool hidden = !e->style.secrets && meta_field(L, "__lurcher_secret"); /* what may be shown of it, or nil */
  if (hidden || meta_field(L, "__tojson")) {
    if (e->depth == JSON_MAX_DEPTH) return fail(e, at, "a __tojson function that has no end", "");
    luaL_checkstack(L, 12, "JSON");
    lua_pushvalue(L, -3);
    lua_call(L, 1, 1);
    if (hidden && lua_isnil(L, -1))
      return fail(e, at, "a secret", "it can only be sent, as in the json option of a request");
    e->depth++;
    if (!encode_value(e, at)) return false;
    e->depth--;
    lua_pop(L, 2);
    return true;
  }
  lua_pop(L, 1);
  if (lua_istable(L, -1)) return encode_table(e, at, UNMARKED);
  return fail(e, at, "userdata", "");
}

/* int64_t and uint64_t, which print as 12LL and 12ULL. */
static bool encode_cdata(encoder *e, const place *at)
{
  lua_State *L = e->L;
  size_t length = 0, digits = 0;
  const char *text = luaL_callmeta(L, -1, "__tostring") ? lua_tolstring(L, -1, &length) : NULL;
  if (text) digits = strspn(text + (*text == '-'), "0123456789") + (*text == '-');
  if (!digits || (strcmp(text + digits, "LL") != 0 && strcmp(text + digits, "ULL") != 0))
    return fail(e, at, "cdata other than int64_t and uint64_t", "");
  put(e, text, digits);
  lua_pop(L, 1);
  return true;
}

static bool encode_number(encoder *e, const place *at)
{
  double value = lua_tonumber(e->L, -1);
  if (isnan(value)) return fail(e, at, "NaN", "");
  if (isinf(value)) return fail(e, at, "an infinite number", "");
  e->length += json_write_number(value, room(e, JSON_NUMBER_SIZE));
  return true;
}

/* Writes the value at the top of the stack, which stays there. False: the message is at the top. */
static bool encode_value(encoder *e, const place *at)
{
  lua_State *L = e->L;
  size_t length;
  const char *text;
  int type = lua_type(L, -1);
  switch (type) {
  case LUA_TSTRING:
    text = lua_tolstring(L, -1, &length);
    if (put_string(e, text, length)) return true;
    return fail(e, at, "a string that is not UTF-8", "");
  case LUA_TNUMBER:
    return encode_number(e, at);
  case LUA_TBOOLEAN:
    if (lua_toboolean(L, -1))
      put(e, "true", 4);
    else
      put(e, "false", 5);
    return true;
  case LUA_TLIGHTUSERDATA:
    if (lua_touserdata(L, -1)) break;
    put(e, "null", 4);
    return true;
  case LUA_TTABLE:
  case LUA_TUSERDATA: {
    if (!lua_getmetatable(L, -1)) {
      if (type == LUA_TTABLE) return encode_table(e, at, UNMARKED);
      break;
    }
    mark marked = lua_rawequal(L, -1, JSON_ARRAY_MARK)    ? ARRAY
                  : lua_rawequal(L, -1, JSON_OBJECT_MARK) ? OBJECT
                                                          : UNMARKED;
    if (!marked) return encode_object(e, at);
    lua_pop(L, 1);
    return encode_table(e, at, marked);
  }
  case LUA_TCDATA:
    return encode_cdata(e, at);
  case LUA_TNIL:
    return fail(e, at, "nil", "json.null stands for null");
  default:
    break;
  }
  lua_pushfstring(L, "a %s", lua_typename(L, type));
  return fail(e, at, lua_tostring(L, -1), "");
}

bool json_encode(lua_State *L, int index, json_style style)
{
  encoder e = {.L = L, .style = style, .capacity = sizeof e.few};
  e.bytes = e.few;
  luaL_checkstack(L, 12, "JSON");
  lua_pushnil(L); /* the buffer's place */
  e.slot = lua_gettop(L);
  lua_pushvalue(L, index);
  if (!encode_value(&e, NULL)) return false;
  lua_pushlstring(L, e.bytes, e.length);
  return true;
}
