#include "script/library/library_table.h"

#include "script/task/task_depth.h"
#include "script/task/task_limits.h"

#include <lauxlib.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

/* ---- sort: by merging, so that no order of the entries makes it slow ---- */

enum { TABLE = 1, ORDER = 2, FROM = 3, TO = 4 };

/* Whether the value on top comes before the one below it. */
static bool comes_before(lua_State *L)
{
  if (lua_isnil(L, ORDER)) {
    limits_charge(L, 8);
    return lua_lessthan(L, -1, -2);
  }
  lua_pushvalue(L, ORDER);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -4);
  lua_call(L, 2, 1);
  bool before = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return before;
}

static void take(lua_State *L, int from, int to)
{
  lua_rawgeti(L, FROM, from);
  lua_rawseti(L, TO, to);
}

/* Merges [left, middle) and [middle, right) of FROM into TO. */
static void merge(lua_State *L, int left, int middle, int right)
{
  int i = left, j = middle, to = left;
  while (i < middle && j < right) {
    lua_rawgeti(L, FROM, i);
    lua_rawgeti(L, FROM, j);
    bool second = comes_before(L);
    lua_pop(L, 2);
    take(L, second ? j++ : i++, to++);
  }
  while (i < middle) take(L, i++, to++);
  while (j < right) take(L, j++, to++);
  limits_charge(L, (size_t)(right - left));
}

static int least(ptrdiff_t a, int b) { return a < b ? (int)a : b; }

static void merge_all(lua_State *L, int count, ptrdiff_t width)
{
  for (ptrdiff_t left = 1; left <= count; left += 2 * width)
    merge(L, (int)left, least(left + width, count + 1), least(left + 2 * width, count + 1));
}

static void copy(lua_State *L, int from, int to, int count)
{
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, from, i);
    lua_rawseti(L, to, i);
  }
  limits_charge(L, (size_t)count);
}

/* sort(t, order): an error on the way leaves t as it was */
static int sort(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  int count = (int)lua_objlen(L, TABLE);
  lua_createtable(L, count, 0);
  lua_createtable(L, count, 0);
  luaL_checkstack(L, 8, "sort");
  copy(L, TABLE, FROM, count);
  unsigned level = depth_enter(L); /* what compares may sort, too */
  for (ptrdiff_t width = 1; width < count; width *= 2) {
    merge_all(L, count, width);
    lua_insert(L, FROM); /* they change places */
  }
  depth_leave(L, level);
  copy(L, FROM, TABLE, count);
  return 0;
}

/* ---- what goes through a whole table in one call ---- */

/* Upvalue: the function itself. */
static int charged(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  limits_charge(L, lua_objlen(L, 1) / 4);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* Below 1 each place down to there is moved, though nothing is in it: insert({}, -2^31, x) would take
 * half a minute. The steps are done here, and counted. */
static int insert_below(lua_State *L, int place)
{
  enum { PIECE = 4096 };
  int to = (int)lua_objlen(L, 1) + 1;
  while (to > place) {
    int last = to > INT_MIN + PIECE && to - PIECE > place ? to - PIECE : place;
    limits_charge(L, (size_t)(to - (ptrdiff_t)last));
    for (; to > last; to--) {
      lua_rawgeti(L, 1, to - 1);
      lua_rawseti(L, 1, to);
    }
  }
  lua_rawseti(L, 1, place);
  return 0;
}

/* Upvalue: the function itself. */
static int insert(lua_State *L)
{
  bool is_below = lua_gettop(L) == 3 && lua_type(L, 2) == LUA_TNUMBER && lua_tonumber(L, 2) < 1;
  luaL_checktype(L, 1, LUA_TTABLE);
  return is_below ? insert_below(L, (int)lua_tointeger(L, 2)) : charged(L);
}

void library_open_table(lua_State *L)
{
  static const char *const whole[] = {"concat", "insert", "maxn", "move", "remove"};
  lua_getglobal(L, "table");
  lua_pushcfunction(L, sort);
  lua_setfield(L, -2, "sort");
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
    lua_getfield(L, -1, whole[i]);
    lua_pushcclosure(L, strcmp(whole[i], "insert") == 0 ? insert : charged, 1);
    lua_setfield(L, -2, whole[i]);
  }
  lua_pop(L, 1);
}
