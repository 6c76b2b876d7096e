/* lurcher.native.json: JSON text to Lua values and back. Options and advice are lua/lurcher/json.lua's. */
#include "format/json/json_check.h"
#include "format/json/json_explain.h"
#include "format/json/json_layout.h"
#include "script/base/lua_error.h"
#include "script/json/json_build.h"
#include "script/json/json_encode.h"
#include "script/json/json_internal.h"

#include <lauxlib.h>
#include <string.h>

/* Whether what would be shown from `position` on belongs to a marked secret. None was ever marked where the
 * module is not there. */
static bool shows_secret(lua_State *L, size_t position)
{
  bool shows = false;
  int top = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "lurcher.base.secret");
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "covers");
    lua_pushvalue(L, 1);
    lua_pushnumber(L, (lua_Number)position + 1);
    lua_pushnumber(L, (lua_Number)(position + JSON_EXPLAIN_NEAR));
    shows = lua_pcall(L, 3, 1, 0) != 0 || lua_toboolean(L, -1);
  }
  lua_settop(L, top);
  return shows;
}

/* Of the text at index 1. */
static int explain(lua_State *L, const char *text, size_t length, const char *problem, size_t position)
{
  error e;
  size_t line, column;
  if (position < length && shows_secret(L, position)) {
    lua_pushlstring(L, text, position);
    lua_pushliteral(L, "***");
    lua_concat(L, 2);
    text = lua_tolstring(L, -1, &length);
  }
  error_set(&e, ERROR_decode, NULL, "%s", "");
  json_explain(text, length, problem, position, e.message, sizeof e.message, &line, &column);
  int results = errors_return(L, &e);
  lua_pushnumber(L, (lua_Number)line);
  lua_setfield(L, -2, "line");
  lua_pushnumber(L, (lua_Number)column);
  lua_setfield(L, -2, "column");
  lua_pushnumber(L, (lua_Number)position + 1);
  lua_setfield(L, -2, "position");
  return results;
}

/* decode(text, big_as_numbers) -> value; or nil and an error of kind "decode" with line, column, position (of
 * the byte), all from 1. */
static int decode(lua_State *L)
{
  size_t length, position;
  const char *text = luaL_checklstring(L, 1, &length);
  bool big_as_numbers = lua_toboolean(L, 2);
  size_t mark = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* byte order mark */
  const char *problem =
      json_check(text + mark, length - mark, big_as_numbers, &position, json_memory_sizes(L));
  if (problem) return explain(L, text, length, problem, position + mark);
  json_build(L, text + mark, length - mark, big_as_numbers);
  return 1;
}

/* encode(value, pretty, sort_keys, secrets) -> text; or nil and what is wrong. `sort_keys`, if given, is a
 * function that makes the sorted list of a table's keys. */
static int encode(lua_State *L)
{
  lua_settop(L, 4);
  json_style style = {
      .pretty = lua_toboolean(L, 2),
      .sort_keys = lua_isfunction(L, 3) ? 3 : 0,
      .secrets = lua_toboolean(L, 4),
  };
  if (json_encode(L, 1, style)) return 1;
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* value_end(text, from) -> where the value ends that begins there, or nil */
static int value_end(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_Integer from = luaL_checkinteger(L, 2);
  size_t end = from >= 1 ? json_value_end(text, length, (size_t)from - 1) : 0;
  if (end)
    lua_pushinteger(L, (lua_Integer)end);
  else
    lua_pushnil(L);
  return 1;
}

/* join(text, spaced) -> the text without what stands between its tokens */
static int join(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  bool spaced = lua_toboolean(L, 2);
  char *joined = lua_newuserdata(L, spaced ? 2 * length : length);
  lua_pushlstring(L, joined, json_join(joined, text, length, spaced));
  return 1;
}

static void set_function(lua_State *L, const char *name, lua_CFunction f)
{
  lua_getfield(L, -1, "array_mark");
  lua_getfield(L, -2, "object_mark");
  json_push_memory(L);
  lua_pushcclosure(L, f, 3);
  lua_setfield(L, -2, name);
}

int luaopen_lurcher_native_json(lua_State *L)
{
  lua_newtable(L);
  lua_newtable(L);
  lua_setfield(L, -2, "array_mark");
  lua_newtable(L);
  lua_setfield(L, -2, "object_mark");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  set_function(L, "decode", decode);
  set_function(L, "encode", encode);
  lua_pushcfunction(L, value_end);
  lua_setfield(L, -2, "value_end");
  lua_pushcfunction(L, join);
  lua_setfield(L, -2, "join");
  return 1;
}
