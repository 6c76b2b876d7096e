#include "script/http/http_headers.h"

#include "format/http/head.h"
#include "net/curl/header_list.h"
#include "script/http/http_handle.h"

#include <strings.h>

typedef bool add_line(header_list *h, const char *name, size_t name_length, const char *value,
                      size_t value_length);

/* Adds the names and values of the table at a stack index. */
static void add_lines(lua_State *L, int table, header_list *list, add_line *add)
{
  int count = (int)lua_objlen(L, table);
  for (int i = 1; i < count; i += 2) {
    size_t name_length, value_length;
    lua_rawgeti(L, table, i);
    lua_rawgeti(L, table, i + 1);
    const char *name = luaL_checklstring(L, -2, &name_length);
    const char *value = luaL_checklstring(L, -1, &value_length);
    if (!head_valid_name(name, name_length)) luaL_error(L, "invalid header name");
    if (!head_valid_value(value, value_length)) luaL_error(L, "invalid value of header '%s'", name);
    if (!add(list, name, name_length, value, value_length)) luaL_error(L, "not enough memory");
    lua_pop(L, 2);
  }
}

static int headers_gc(lua_State *L)
{
  http_box *box = lua_touserdata(L, 1);
  header_list_unref(box->pointer);
  box->pointer = NULL;
  return 0;
}

static void headers_class(lua_State *L, const char *name)
{
  http_make_metatable(L, name, headers_gc, NULL, NULL);
}

/* native.headers({ name, value, name, value, … } [, { … }]): the second ones are for a proxy only */
static int new_headers(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  http_box *box = http_new_box(L, HTTP_HEADERS, "lurcher.http.headers", headers_class);
  header_list *list = box->pointer = header_list_new();
  if (!list) return luaL_error(L, "not enough memory");
  add_lines(L, 1, list, header_list_add);
  if (lua_istable(L, 2)) add_lines(L, 2, list, header_list_add_for_proxy);
  return 1;
}

/* native.head_get(head, name) → the first value, or nil */
static int head_get(lua_State *L)
{
  size_t length, name_length, value_length;
  const char *block = luaL_checklstring(L, 1, &length), *value;
  const char *name = luaL_checklstring(L, 2, &name_length);
  if (!head_find(block, length, name, name_length, &value, &value_length)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushlstring(L, value, value_length);
  return 1;
}

/* native.head_next(head, offset) → next offset, name, value; or nothing */
static int head_step(lua_State *L)
{
  size_t length, name_length, value_length;
  const char *block = luaL_checklstring(L, 1, &length), *name, *value;
  double offset = luaL_checknumber(L, 2);
  luaL_argcheck(L, offset >= 0 && offset <= (double)length, 2, "not an offset");
  size_t next = head_next(block, length, (size_t)offset, &name, &name_length, &value, &value_length);
  if (!next) return 0;
  lua_pushnumber(L, (double)next);
  lua_pushlstring(L, name, name_length);
  lua_pushlstring(L, value, value_length);
  return 3;
}

/* Calls `add` for each value of the header named at stack index 2. */
static int each_value(lua_State *L, void (*add)(lua_State *L, int nth, const char *value, size_t length))
{
  size_t length, wanted_length, name_length, value_length, offset = 0;
  const char *block = luaL_checklstring(L, 1, &length), *name, *value;
  const char *wanted = luaL_checklstring(L, 2, &wanted_length);
  int count = 0;
  while ((offset = head_next(block, length, offset, &name, &name_length, &value, &value_length)))
    if (name_length == wanted_length && !strncasecmp(name, wanted, wanted_length))
      add(L, ++count, value, value_length);
  return count;
}

static void add_to_list(lua_State *L, int nth, const char *value, size_t length)
{
  lua_pushlstring(L, value, length);
  lua_rawseti(L, 3, nth);
}

/* native.head_list(head, name) → list of values */
static int head_list(lua_State *L)
{
  lua_settop(L, 2);
  lua_newtable(L);
  each_value(L, add_to_list);
  return 1;
}

/* native.head_join(head, name) → values joined by ", ", or nil */
static int head_join(lua_State *L)
{
  int count = head_list(L);
  lua_pushnil(L);
  if (lua_objlen(L, 3) == 0) return count;
  luaL_Buffer joined;
  int values = (int)lua_objlen(L, 3);
  luaL_buffinit(L, &joined);
  for (int i = 1; i <= values; i++) {
    if (i > 1) luaL_addlstring(&joined, ", ", 2);
    lua_rawgeti(L, 3, i);
    luaL_addvalue(&joined);
  }
  luaL_pushresult(&joined);
  return 1;
}

void http_headers_register(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"headers", new_headers}, {"head_get", head_get},   {"head_next", head_step},
      {"head_list", head_list}, {"head_join", head_join}, {NULL, NULL},
  };
  luaL_register(L, NULL, functions);
}
