#include "script/runtime/sandbox.h"

#include "script/runtime/preload.h"

#include <lauxlib.h>

static const char globals_key; /* in the registry: the function that makes them */

void sandbox_prepare(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  if (!task_is_confined(rt)) return;
  if (!preload_push(L, "lurcher.task.sealed")) luaL_error(L, "not enough memory");
  lua_pushboolean(L, (rt->options.libraries & LUR_LIB_BYTECODE) != 0);
  lua_call(L, 1, 0);
}

/* Texts have methods, and scripts must not change them for others. */
static void lock_texts(lua_State *L)
{
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_getfield(L, -1, "__index");
  lua_pushnil(L); /* a script's own `string` gives texts no methods */
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}

void sandbox_open(lua_State *L)
{
  if (!task_is_confined(runtime_of(L))) return;
  lock_texts(L);
  lua_pushlightuserdata(L, (void *)&globals_key);
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.require");
  lua_pushliteral(L, "lurcher.task.sandbox");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "globals");
  lua_remove(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

bool sandbox_give_globals(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  if (!task_is_confined(rt)) return false;
  lua_pushlightuserdata(L, (void *)&globals_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushnumber(L, rt->options.libraries);
  lua_call(L, 1, 1);
  lua_setfenv(L, -2);
  return true;
}
