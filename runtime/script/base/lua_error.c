#include "script/base/lua_error.h"

#include "script/base/lua_fields.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

static const char constructor_key;

/* Pushes what makes an error of a table of fields, errors.new; kept in the registry after the first time. */
static void push_constructor(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&constructor_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.require");
  lua_pushliteral(L, "lurcher.base.errors");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_remove(L, -2);
  lua_pushlightuserdata(L, (void *)&constructor_key);
  lua_pushvalue(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

static void set_known_number(lua_State *L, const char *name, double value)
{
  if (value != 0) field_set_number(L, name, value);
}

/* The error that led to this one, as the field `cause` of the table on top. */
static void set_cause(lua_State *L, const error *e)
{
  if (!e->cause) return;
  push_constructor(L);
  lua_createtable(L, 0, 4);
  field_set_string(L, "kind", e->cause);
  field_set_string(L, "message", e->cause_message);
  field_set_string(L, "phase", e->phase);
  lua_call(L, 1, 1);
  lua_setfield(L, -2, "cause");
}

bool errors_is(lua_State *L, int index)
{
  if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
  lua_pushliteral(L, "__name");
  lua_rawget(L, -2);
  const char *name = lua_tostring(L, -1);
  bool is = name && strcmp(name, "lurcher.Error") == 0;
  lua_pop(L, 2);
  return is;
}

void errors_push(lua_State *L, const error *e)
{
  luaL_checkstack(L, 7, "error object");
  push_constructor(L);
  lua_createtable(L, 0, 12); /* room for what the Lua layers add */
  field_set_string(L, "kind", error_kind_name(e->kind));
  field_set_string(L, "message", e->message);
  field_set_string(L, "phase", e->phase);
  field_set_string(L, "code", e->code);
  set_known_number(L, "limit", e->limit);
  set_known_number(L, "observed", e->observed);
  set_cause(L, e);
  lua_pushboolean(L, e->retry_safe);
  lua_setfield(L, -2, "retry_safe");
  lua_pushboolean(L, e->retry_safe);
  lua_setfield(L, -2, "retryable");
  lua_call(L, 1, 1);
}

int errors_return(lua_State *L, const error *e)
{
  lua_pushnil(L);
  errors_push(L, e);
  return 2;
}

static bool is_of_script(lua_State *L, lua_Debug *frame)
{
  static const char ours[] = "@lurcher/";
  lua_getinfo(L, "Sl", frame);
  return frame->currentline > 0 && strncmp(frame->source, ours, sizeof ours - 1) != 0;
}

int errors_raise(lua_State *L, const char *message)
{
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    if (!is_of_script(L, &frame)) continue;
    lua_pushfstring(L, "%s:%d: %s", frame.short_src, frame.currentline, message);
    return lua_error(L);
  }
  lua_pushstring(L, message);
  return lua_error(L);
}
