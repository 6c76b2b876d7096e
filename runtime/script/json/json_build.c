#include "script/json/json_build.h"

#include "core/utf8.h"
#include "format/json/json_number.h"
#include "format/json/json_scan.h"
#include "script/json/json_internal.h"
#include "script/json/json_keys.h"

#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <string.h>

/* The text was checked, so nothing here looks for faults. Tables are made in their final size: growing them
 * item by item took as long as all the rest. */

struct json_memory {
  json_sizes sizes;
  json_keys keys;
};

typedef struct {
  lua_State *L;
  const char *end; /* of the text */
  json_memory *memory;
  size_t opened; /* arrays and objects so far */
  int keys;      /* stack index of the table of keys */
  bool big_as_numbers;
} builder;

static const char *build_value(builder *b, const char *p);

/* The table, a key, and a value in the making. 1000 levels fit into the 8000 slots that LuaJIT grants a C
 * function. */
enum { STACK_PER_LEVEL = 6 };

/* How many items the array or object that opens has. */
static int next_size(builder *b)
{
  const json_sizes *sizes = &b->memory->sizes;
  size_t i = b->opened++;
  return i < sizes->count && sizes->items[i] < INT_MAX / 2 ? (int)sizes->items[i] : 0;
}

/* Writes what the string [p, end) means, and returns the bytes written: never more than it has itself. */
static size_t unescape(const char *p, const char *end, char *out)
{
  char *start = out;
  while (p < end) {
    if (*p != '\\') {
      *out++ = *p++;
      continue;
    }
    switch (p[1]) {
    case 'b':
      *out++ = '\b';
      break;
    case 'f':
      *out++ = '\f';
      break;
    case 'n':
      *out++ = '\n';
      break;
    case 'r':
      *out++ = '\r';
      break;
    case 't':
      *out++ = '\t';
      break;
    case 'u': {
      unsigned code = (unsigned)json_hex4(p + 2);
      if (code >= 0xd800 && code <= 0xdbff) {
        code = 0x10000 + ((code - 0xd800) << 10) + ((unsigned)json_hex4(p + 8) - 0xdc00);
        p += 6;
      }
      out = utf8_write(out, code);
      p += 4;
      break;
    }
    default:
      *out++ = p[1];
    }
    p += 2;
  }
  return (size_t)(out - start);
}

/* Not inlined: the room on the C stack shall not count at each level of recursion. */
__attribute__((noinline)) static void push_unescaped(lua_State *L, const char *p, const char *end)
{
  char few[512];
  size_t length = (size_t)(end - p);
  if (length <= sizeof few) {
    lua_pushlstring(L, few, unescape(p, end, few));
  } else {
    char *many = lua_newuserdata(L, length);
    lua_pushlstring(L, many, unescape(p, end, many));
    lua_remove(L, -2);
  }
}

/* The end of the string that begins at `p`, which is behind the opening quote: its closing quote. */
static inline const char *find_end(const builder *b, const char *p, bool *escaped)
{
  *escaped = false;
  for (;;) {
    p = json_skip_plain(p, b->end);
    while (*p != '"' && *p != '\\' && (unsigned char)*p < 0x80) p++;
    if (*p == '"') return p;
    if (*p == '\\') {
      *escaped = true;
      p += 2;
    } else {
      while ((unsigned char)*p >= 0x80) p++;
    }
  }
}

/* Both: `p` is behind the opening quote; returns the byte behind the closing one. */

static const char *build_string(builder *b, const char *p)
{
  bool escaped;
  const char *end = find_end(b, p, &escaped);
  if (escaped)
    push_unescaped(b->L, p, end);
  else
    lua_pushlstring(b->L, p, (size_t)(end - p));
  return end + 1;
}

static const char *build_key(builder *b, const char *p)
{
  bool escaped;
  const char *end = find_end(b, p, &escaped);
  if (escaped)
    push_unescaped(b->L, p, end);
  else
    json_keys_push(&b->memory->keys, b->L, b->keys, p, (size_t)(end - p));
  return end + 1;
}

/* Digits that a double cannot hold stay a string; `p` is at the first one. Their end, or NULL. */
static const char *build_big(builder *b, const char *start, const char *p)
{
  const char *digits = p;
  while (json_digit(*p)) p++;
  size_t length = (size_t)(p - digits);
  if (length < 16 || *p == '.' || *p == 'e' || *p == 'E' || !json_is_big(digits, length)) return NULL;
  lua_pushlstring(b->L, start, (size_t)(p - start));
  return p;
}

static const char *build_long_number(builder *b, const char *p)
{
  const char *end;
  if (!b->big_as_numbers && (end = build_big(b, p, p + (*p == '-')))) return end;
  lua_pushnumber(b->L, json_read_number(p, &end));
  return end;
}

/* Most numbers are whole and short. */
static const char *build_number(builder *b, const char *p)
{
  enum { SHORT = 9 };
  const char *digit = p + (*p == '-'), *few = digit + SHORT;
  int value = 0;
  while (digit < few && json_digit(*digit)) value = value * 10 + (*digit++ - '0');
  if (!json_digit(*digit) && *digit != '.' && (*digit | 0x20) != 'e' && (value || *p != '-')) {
    lua_pushnumber(b->L, *p == '-' ? -value : value);
    return digit;
  }
  return build_long_number(b, p);
}

/* `p` is behind the bracket. */
static const char *build_array(builder *b, const char *p)
{
  lua_State *L = b->L;
  lua_createtable(L, next_size(b), 0);
  p = json_skip_space(p);
  if (*p == ']') {
    lua_pushvalue(L, JSON_ARRAY_MARK);
    lua_setmetatable(L, -2);
    return p + 1;
  }
  for (int count = 1;; count++, p++) { /* over the comma */
    p = json_skip_space(build_value(b, p));
    lua_rawseti(L, -2, count);
    if (*p == ']') return p + 1;
  }
}

/* `p` is behind the brace. */
static const char *build_object(builder *b, const char *p)
{
  lua_State *L = b->L;
  lua_createtable(L, 0, next_size(b));
  p = json_skip_space(p);
  if (*p == '}') return p + 1;
  for (;; p = json_skip_space(p + 1)) { /* over the comma */
    p = json_skip_space(build_key(b, p + 1));
    p = json_skip_space(build_value(b, p + 1));
    lua_rawset(L, -3);
    if (*p == '}') return p + 1;
  }
}

static const char *build_value(builder *b, const char *p)
{
  p = json_skip_space(p);
  switch (*p) {
  case '"':
    return build_string(b, p + 1);
  case '{':
    luaL_checkstack(b->L, STACK_PER_LEVEL, "JSON");
    return build_object(b, p + 1);
  case '[':
    luaL_checkstack(b->L, STACK_PER_LEVEL, "JSON");
    return build_array(b, p + 1);
  case 't':
    lua_pushboolean(b->L, 1);
    return p + 4;
  case 'f':
    lua_pushboolean(b->L, 0);
    return p + 5;
  case 'n':
    lua_pushlightuserdata(b->L, NULL);
    return p + 4;
  default:
    return build_number(b, p);
  }
}

static int free_memory(lua_State *L)
{
  json_memory *memory = lua_touserdata(L, 1);
  json_sizes_free(&memory->sizes);
  return 0;
}

void json_push_memory(lua_State *L)
{
  json_memory *memory = lua_newuserdata(L, sizeof *memory);
  memset(memory, 0, sizeof *memory);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, free_memory);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  json_keys_push_table(L);
  lua_setfenv(L, -2);
}

json_sizes *json_memory_sizes(lua_State *L)
{
  json_memory *memory = lua_touserdata(L, JSON_MEMORY);
  return &memory->sizes;
}

void json_build(lua_State *L, const char *text, size_t length, bool big_as_numbers)
{
  builder b = {.L = L, .end = text + length, .big_as_numbers = big_as_numbers};
  b.memory = lua_touserdata(L, JSON_MEMORY);
  luaL_checkstack(L, STACK_PER_LEVEL, "JSON");
  lua_getfenv(L, JSON_MEMORY);
  b.keys = lua_gettop(L);
  build_value(&b, text);
  lua_replace(L, b.keys);
}
