#include "script/json_lua.h"
#include "script/json_scan.h"

#include <lauxlib.h>
#include <lua.h>

/* The text was checked, so nothing here looks for faults.
 *
 * The items of an array or object are first gathered on the Lua stack, so that the table can be made in its
 * final size: growing it item by item took as long as all the rest. A table with more items than may be held
 * goes on item by item. The deeper, the fewer are held: 1000 levels must fit into the 8000 slots that LuaJIT
 * grants a C function. */

typedef struct {
  lua_State *L;
  const char *end; /* of the text */
  unsigned depth;
  bool big_as_numbers;
} builder;

static const char *build_value(builder *b, const char *p);

/* How many items are held on the stack at this depth. */
static int held_at(unsigned depth) { return depth <= 8 ? 64 : depth <= 100 ? 8 : 0; }

static int write_utf8(unsigned code, char *out)
{
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  int length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (int i = length - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)(lead[length] | code);
  return length;
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
      out += write_utf8(code, out);
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

/* `p` is behind the opening quote; returns the byte behind the closing one. */
static inline const char *build_string(builder *b, const char *p)
{
  const char *start = p;
  bool escaped = false;
  for (;;) {
    p = json_skip_plain(p, b->end);
    while (*p != '"' && *p != '\\' && (unsigned char)*p < 0x80) p++;
    if (*p == '"') break;
    if (*p == '\\') {
      escaped = true;
      p += 2;
    } else {
      while ((unsigned char)*p >= 0x80) p++;
    }
  }
  if (escaped)
    push_unescaped(b->L, start, p);
  else
    lua_pushlstring(b->L, start, (size_t)(p - start));
  return p + 1;
}

static const double powers_of_10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const char *skip_number(const char *p)
{
  while (json_digit(*p) || *p == '.' || *p == 'e' || *p == 'E' || *p == '+' || *p == '-') p++;
  return p;
}

/* A number that takes care: Lua's own conversion is exact and, unlike strtod, the same in every locale. */
static const char *build_long_number(builder *b, const char *p)
{
  const char *end = skip_number(p);
  lua_pushlstring(b->L, p, (size_t)(end - p));
  lua_pushnumber(b->L, lua_tonumber(b->L, -1));
  lua_remove(b->L, -2);
  return end;
}

static const char *build_number(builder *b, const char *p)
{
  const char *start = p;
  bool negative = *p == '-';
  p += negative;
  const char *digits = p;
  uint64_t mantissa = 0;
  for (; json_digit(*p); p++) mantissa = mantissa * 10 + (uint64_t)(*p - '0');
  size_t whole = (size_t)(p - digits), fraction = 0;
  if (*p == '.') {
    const char *point = p++;
    for (; json_digit(*p); p++) mantissa = mantissa * 10 + (uint64_t)(*p - '0');
    fraction = (size_t)(p - point) - 1;
  } else if (whole >= 16 && *p != 'e' && *p != 'E' && !b->big_as_numbers && json_is_big(digits, whole)) {
    lua_pushlstring(b->L, start, (size_t)(p - start));
    return p;
  }
  /* Below 2^53 both sides of the division are exact, so that its result is the nearest double. */
  if (*p == 'e' || *p == 'E' || whole + fraction > 15) return build_long_number(b, start);
  double value = (double)mantissa;
  if (fraction) value /= powers_of_10[fraction];
  lua_pushnumber(b->L, negative ? -value : value);
  return p;
}

/* `p` is behind the bracket. */
static const char *build_array(builder *b, const char *p)
{
  lua_State *L = b->L;
  p = json_skip_space(p);
  if (*p == ']') {
    lua_newtable(L);
    lua_pushvalue(L, JSON_ARRAY_MARK);
    lua_setmetatable(L, -2);
    return p + 1;
  }
  int held = held_at(b->depth), count = 0;
  luaL_checkstack(L, held + 4, "JSON");
  lua_pushnil(L); /* the table's place */
  int table = lua_gettop(L);
  for (;; p++) { /* over the comma */
    if (count == held) {
      lua_createtable(L, 2 * held, 0);
      lua_replace(L, table);
      for (int i = held; i > 0; i--) lua_rawseti(L, table, i);
    }
    p = json_skip_space(build_value(b, p));
    count++;
    if (count > held) lua_rawseti(L, table, count);
    if (*p == ']') break;
  }
  if (count <= held) {
    lua_createtable(L, count, 0);
    lua_replace(L, table);
    for (; count > 0; count--) lua_rawseti(L, table, count);
  }
  return p + 1;
}

/* Sets the pairs on the stack above `table`, in their order: the last one of equal keys counts. */
static void set_pairs(lua_State *L, int table, int count)
{
  for (int i = 0; i < count; i++) {
    lua_pushvalue(L, table + 1 + 2 * i);
    lua_pushvalue(L, table + 2 + 2 * i);
    lua_rawset(L, table);
  }
  lua_settop(L, table);
}

/* `p` is behind the brace. */
static const char *build_object(builder *b, const char *p)
{
  lua_State *L = b->L;
  p = json_skip_space(p);
  if (*p == '}') {
    lua_newtable(L);
    return p + 1;
  }
  int held = held_at(b->depth), count = 0;
  luaL_checkstack(L, 2 * held + 6, "JSON");
  lua_pushnil(L); /* the table's place */
  int table = lua_gettop(L);
  for (;; p = json_skip_space(p + 1)) { /* over the comma */
    if (count == held) {
      lua_createtable(L, 0, 2 * held);
      lua_replace(L, table);
      set_pairs(L, table, held);
    }
    p = json_skip_space(build_string(b, p + 1));
    p = json_skip_space(build_value(b, p + 1));
    count++;
    if (count > held) lua_rawset(L, table);
    if (*p == '}') break;
  }
  if (count <= held) {
    lua_createtable(L, 0, count);
    lua_replace(L, table);
    set_pairs(L, table, count);
  }
  return p + 1;
}

static const char *build_value(builder *b, const char *p)
{
  p = json_skip_space(p);
  switch (*p) {
  case '"':
    return build_string(b, p + 1);
  case '{':
    b->depth++;
    p = build_object(b, p + 1);
    b->depth--;
    return p;
  case '[':
    b->depth++;
    p = build_array(b, p + 1);
    b->depth--;
    return p;
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

void json_build(lua_State *L, const char *text, size_t length, bool big_as_numbers)
{
  builder b = {.L = L, .end = text + length, .big_as_numbers = big_as_numbers};
  luaL_checkstack(L, 4, "JSON");
  build_value(&b, text);
}
