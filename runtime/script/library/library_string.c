#include "script/library/library_string.h"

#include "script/library/library_match.h"
#include "script/task/task_depth.h"
#include "script/task/task_internal.h"
#include "script/task/task_limits.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ---- find, match ---- */

/* Where a search begins. */
static size_t begin_at(lua_State *L, int index, size_t length)
{
  lua_Integer given = luaL_optinteger(L, index, 1);
  if (given < 0) given += (lua_Integer)length + 1;
  if (given < 1) given = 1;
  return (size_t)given - 1 < length ? (size_t)given - 1 : length;
}

static bool has_specials(const char *pattern, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (pattern[i] && strchr("^$*+?.([%-", pattern[i])) return true;
  return false;
}

static int find_plain(lua_State *L, const char *text, size_t length, size_t begin, const char *pattern,
                      size_t pattern_length)
{
  limits_charge(L, (length - begin) / 64);
  const char *found =
      pattern_length ? memmem(text + begin, length - begin, pattern, pattern_length) : text + begin;
  if (!found) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, found - text + 1);
  lua_pushinteger(L, found - text + (lua_Integer)pattern_length);
  return 2;
}

static int push_found(library_matcher *m, const char *from, const char *to, bool places)
{
  if (!places) return library_match_push_all(m, from, to);
  lua_pushinteger(m->L, from - m->text + 1);
  lua_pushinteger(m->L, to - m->text);
  return 2 + library_match_push_all(m, NULL, NULL);
}

static int search(lua_State *L, bool places)
{
  size_t length, pattern_length;
  const char *text = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &pattern_length);
  size_t begin = begin_at(L, 3, length);
  if (places && (lua_toboolean(L, 4) || !has_specials(pattern, pattern_length)))
    return find_plain(L, text, length, begin, pattern, pattern_length);
  library_matcher m;
  library_match_init(&m, L, text, length, pattern, pattern_length);
  bool anchored = pattern_length > 0 && *pattern == '^';
  for (const char *at = text + begin; at && at <= m.text_end; at++) {
    if (!anchored) at = library_match_skip(&m, at);
    const char *end = at ? library_match_at(&m, at, pattern + anchored) : NULL;
    if (end) return push_found(&m, at, end, places);
    if (!at || anchored) break;
  }
  lua_pushnil(L);
  return 1;
}

static int find(lua_State *L) { return search(L, true); }

static int match_first(lua_State *L) { return search(L, false); }

/* ---- gmatch ---- */

/* Upvalues: the text, the pattern, where to go on. */
static int next_match(lua_State *L)
{
  size_t length, pattern_length;
  const char *text = lua_tolstring(L, lua_upvalueindex(1), &length);
  const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_length);
  library_matcher m;
  library_match_init(&m, L, text, length, pattern, pattern_length);
  for (const char *at = text + lua_tointeger(L, lua_upvalueindex(3)); at <= m.text_end; at++) {
    at = library_match_skip(&m, at);
    const char *end = at ? library_match_at(&m, at, pattern) : NULL;
    if (!at) break;
    if (!end) continue;
    lua_pushinteger(L, end - text + (end == at));
    lua_replace(L, lua_upvalueindex(3));
    return library_match_push_all(&m, at, end);
  }
  lua_pushinteger(L, (lua_Integer)length + 1); /* no more */
  lua_replace(L, lua_upvalueindex(3));
  return 0;
}

static int gmatch(lua_State *L)
{
  luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

/* ---- gsub ---- */

/* What becomes of the text: first on the C stack, then in a userdata, so that an error leaves nothing behind.
 */
enum { FIRST_BYTES = 512, PLACE = 5 };

typedef struct {
  lua_State *L;
  char *bytes;
  size_t length, capacity;
  char first[FIRST_BYTES];
} result;

static void make_room(result *r, size_t more)
{
  if (more > SIZE_MAX / 4 - r->length) luaL_error(r->L, "the string would be too long");
  size_t capacity = r->capacity * 2;
  if (capacity < r->length + more) capacity = r->length + more;
  char *bytes = lua_newuserdata(r->L, capacity);
  memcpy(bytes, r->bytes, r->length);
  lua_replace(r->L, PLACE);
  r->bytes = bytes;
  r->capacity = capacity;
}

static void add(result *r, const char *bytes, size_t length)
{
  if (length > r->capacity - r->length) make_room(r, length);
  if (length) memcpy(r->bytes + r->length, bytes, length);
  r->length += length;
}

/* The value on top of the stack (popped). */
static void add_value(result *r)
{
  size_t length;
  const char *bytes = lua_tolstring(r->L, -1, &length);
  add(r, bytes, length);
  lua_pop(r->L, 1);
}

static void add_capture(result *r, library_matcher *m, int index, const char *from, const char *to)
{
  if (index < m->count && m->captures[index].length >= 0) {
    add(r, m->captures[index].start, (size_t)m->captures[index].length);
    return;
  }
  library_match_push(m, index, from, to);
  add_value(r);
}

/* "%1" and "%%" in the text to put in. */
static void add_text(result *r, library_matcher *m, const char *from, const char *to)
{
  size_t length;
  const char *text = lua_tolstring(r->L, 3, &length), *end = text + length;
  while (text < end) {
    const char *escape = memchr(text, '%', (size_t)(end - text));
    add(r, text, (size_t)((escape ? escape : end) - text));
    if (!escape) return;
    text = escape + 2;
    if (text > end) luaL_error(r->L, "invalid use of '%%' in replacement string");
    if (escape[1] == '0') {
      add(r, from, (size_t)(to - from));
    } else if (escape[1] >= '1' && escape[1] <= '9') {
      add_capture(r, m, escape[1] - '1', from, to);
    } else {
      add(r, escape + 1, 1);
    }
  }
}

static void call_replacement(lua_State *L, library_matcher *m, const char *from, const char *to)
{
  lua_pushvalue(L, 3);
  lua_call(L, library_match_push_all(m, from, to), 1);
}

/* In place of the match. */
static void add_replacement(result *r, library_matcher *m, const char *from, const char *to, int kind)
{
  lua_State *L = r->L;
  if (kind == LUA_TSTRING || kind == LUA_TNUMBER) {
    add_text(r, m, from, to);
    return;
  }
  if (kind == LUA_TTABLE) {
    library_match_push(m, 0, from, to);
    lua_gettable(L, 3);
  } else {
    call_replacement(L, m, from, to);
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    add(r, from, (size_t)(to - from));
    return;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  add_value(r);
}

static int gsub_counted(lua_State *L)
{
  size_t length, pattern_length;
  const char *text = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &pattern_length);
  int kind = lua_type(L, 3);
  if (kind != LUA_TSTRING && kind != LUA_TNUMBER && kind != LUA_TTABLE && kind != LUA_TFUNCTION)
    return luaL_error(L, "bad argument #3 to 'gsub' (string/function/table expected, got %s)",
                      lua_isnone(L, 3) ? "no value" : luaL_typename(L, 3));
  lua_Number most = lua_isnoneornil(L, 4) ? (lua_Number)length + 1 : luaL_checknumber(L, 4);
  lua_settop(L, 4);
  lua_pushnil(L); /* PLACE */
  lua_tostring(L, 3);
  bool anchored = pattern_length > 0 && *pattern == '^';
  library_matcher m;
  result r; /* whose bytes need not be cleared */
  r.L = L;
  r.bytes = r.first;
  r.length = 0;
  r.capacity = FIRST_BYTES;
  library_match_init(&m, L, text, length, pattern, pattern_length);
  lua_Number count = 0;
  const char *at = text, *kept = text; /* from there on nothing is in the result yet */
  while (count < most) {
    if (!anchored) at = library_match_skip(&m, at);
    const char *end = at ? library_match_at(&m, at, pattern + anchored) : NULL;
    if (end) {
      count++;
      add(&r, kept, (size_t)(at - kept));
      add_replacement(&r, &m, at, end, kind);
      kept = end;
    }
    if (!at || anchored) break;
    at = end && end > at ? end : at + 1;
    if (at > m.text_end) break;
  }
  add(&r, kept, (size_t)(m.text_end - kept));
  lua_pushlstring(L, r.bytes, r.length);
  lua_pushnumber(L, count);
  return 2;
}

/* Without limits Lua's own does the work, for two thirds of the time. It takes 10 KiB of the C stack, ours
 * one: where such calls are nested, ours is called. */
enum { MAX_NESTED_OWN = 16 };

static int gsub(lua_State *L)
{
  const lur_runtime *rt = runtime_of(L);
  unsigned level = depth_enter(L);
  bool counts = !rt->lua_gsub || level > MAX_NESTED_OWN;
  int count = counts ? gsub_counted(L) : rt->lua_gsub(L);
  depth_leave(L, level);
  return count;
}

/* ---- tostring ---- */

/* Upvalue: Lua's own. */
static int tostring(lua_State *L)
{
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (luaL_getmetafield(L, 1, "__tostring")) {
    unsigned level = depth_enter(L);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    depth_leave(L, level);
    return 1;
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static void replace_tostring(lua_State *L)
{
  lua_getglobal(L, "tostring");
  lua_pushcclosure(L, tostring, 1);
  lua_setglobal(L, "tostring");
}

void library_replace_matching(lua_State *L)
{
  static const luaL_Reg matching[] = {
      {"find", find}, {"match", match_first}, {"gmatch", gmatch}, {NULL, NULL}};
  for (const luaL_Reg *f = matching; f->name; f++) {
    lua_pushcfunction(L, f->func);
    lua_setfield(L, -2, f->name);
  }
  runtime_of(L)->lua_gsub = NULL;
}

void library_open_string(lua_State *L, bool hooked)
{
  if (hooked) replace_tostring(L);
  lua_getglobal(L, "string");
  lua_getfield(L, -1, "gsub");
  runtime_of(L)->lua_gsub = lua_tocfunction(L, -1);
  lua_pop(L, 1);
  lua_pushcfunction(L, gsub);
  lua_setfield(L, -2, "gsub");
  if (hooked) library_replace_matching(L);
  lua_pop(L, 1);
}
