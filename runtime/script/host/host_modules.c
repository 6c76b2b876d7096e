#include "script/host/host_modules.h"

#include "script/task/task_owner.h"

#include <lauxlib.h>
#include <string.h>

static const char sources_key; /* in the registry: the module's name -> its source */

typedef struct {
  const char *module, *source;
  size_t length;
  lur_status status;
} preloaded;

static const char *mode_of(const lur_runtime *rt)
{
  return rt->options.libraries & LUR_LIB_BYTECODE ? "bt" : "t";
}

static void push_sources(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&sources_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Compiled only to say at once what is wrong: each script that is confined gets a module of its own. */
static int keep_source(lua_State *L)
{
  preloaded *p = lua_touserdata(L, 1);
  const char *chunkname = lua_pushfstring(L, "=%s", p->module);
  int failed = luaL_loadbufferx(L, p->source, p->length, chunkname, mode_of(runtime_of(L)));
  if (failed == LUA_ERRSYNTAX) p->status = LUR_SYNTAX;
  if (failed) return lua_error(L);
  push_sources(L);
  lua_pushlstring(L, p->source, p->length);
  lua_setfield(L, -2, p->module);
  return 0;
}

/* Names that no host may give something else. */
static bool is_taken(const char *module)
{
  return strcmp(module, "host") == 0 || strcmp(module, "lurcher") == 0 || strncmp(module, "lurcher.", 8) == 0;
}

lur_status lur_preload(lur_runtime *rt, const char *module, const char *source, size_t length)
{
  if (!rt || !runtime_is_here(rt)) return LUR_INVALID;
  const char *wrong = rt->closing             ? "the runtime is being closed"
                      : !module || !*module   ? "the module has no name"
                      : is_taken(module)      ? "modules of that name are the runtime's own"
                      : !source && length > 0 ? "source is NULL"
                                              : NULL;
  if (wrong) return runtime_fail(rt, LUR_INVALID, wrong);
  preloaded p = {module, source ? source : "", length, LUR_NO_MEMORY};
  if (lua_cpcall(rt->L, keep_source, &p) == 0) return LUR_OK;
  const char *message = lua_tostring(rt->L, -1);
  runtime_fail(rt, p.status, p.status == LUR_SYNTAX && message ? message : "not enough memory");
  lua_pop(rt->L, 1);
  return p.status;
}

void host_modules_open(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&sources_key);
  lua_newtable(L);
  lua_rawset(L, LUA_REGISTRYINDEX);
  const char *path = runtime_of(L)->options.module_path;
  if (!path) return;
  lua_getglobal(L, "package");
  lua_pushstring(L, path);
  lua_setfield(L, -2, "path");
  lua_pushliteral(L, "");
  lua_setfield(L, -2, "cpath");
  lua_pop(L, 1);
}

typedef struct {
  lur_runtime *runtime;
  const char *module, *source, *chunkname;
  size_t length;
} wanted_module;

/* On a Lua stack, for a host that raises by mistake. */
static int call_host(lua_State *L)
{
  wanted_module *w = lua_touserdata(L, 1);
  const lur_options *o = &w->runtime->options;
  w->source = o->load_module(w->module, &w->length, &w->chunkname, o->ud);
  return 0;
}

static bool ask_host(lur_runtime *rt, wanted_module *w)
{
  if (!rt->options.load_module) return false;
  bool before = rt->asking;
  rt->asking = true;
  int failed = lua_cpcall(rt->L, call_host, w);
  rt->asking = before;
  if (failed) lua_pop(rt->L, 1);
  return !failed && w->source;
}

int host_modules_find(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  wanted_module w = {.runtime = rt, .module = luaL_checkstring(L, 1)};
  push_sources(L);
  lua_getfield(L, -1, w.module);
  if (lua_isnil(L, -1)) {
    if (!ask_host(rt, &w)) return 0;
    lua_pushlstring(L, w.source, w.length);
  }
  if (w.chunkname)
    lua_pushstring(L, w.chunkname);
  else
    lua_pushfstring(L, "=%s", w.module);
  lua_pushstring(L, mode_of(rt));
  return 3;
}

int host_modules_has_path(lua_State *L)
{
  lua_pushboolean(L, runtime_of(L)->options.module_path != NULL);
  return 1;
}
