#include "script/runtime/preload.h"

#include "script/host/host_modules.h"
#include "script/runtime/embedded.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NATIVE(name) int luaopen_lurcher_native_##name(lua_State *L);
#include "script/runtime/natives.def"
#undef NATIVE

/* lua-cjson's header declares no more than this, in a directory that may hold another Lua's headers. */
int luaopen_cjson(lua_State *L);
int luaopen_cjson_safe(lua_State *L);

static const luaL_Reg natives[] = {
#define NATIVE(name) {"lurcher.native." #name, luaopen_lurcher_native_##name},
#include "script/runtime/natives.def"
#undef NATIVE
    {"cjson", luaopen_cjson}, {"cjson.safe", luaopen_cjson_safe}, {NULL, NULL}};

static int compare_name(const void *name, const void *module)
{
  return strcmp(name, ((const embedded_module *)module)->name);
}

static const embedded_module *find_embedded(const char *name)
{
  return bsearch(name, embedded_modules, embedded_modules_count, sizeof *embedded_modules, compare_name);
}

int preload_push(lua_State *L, const char *name)
{
  const embedded_module *m = find_embedded(name);
  if (!m) return 0;
  if (luaL_loadbuffer(L, (const char *)m->bytecode, m->size, m->chunk) != 0) lua_error(L);
  luaJIT_setmode(L, -1,
                 LUAJIT_MODE_FUNC | LUAJIT_MODE_OFF); /* it runs once: its loops are not worth a trace */
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.environment");
  if (lua_istable(L, -1))
    lua_setfenv(L, -2);
  else
    lua_pop(L, 1); /* the prelude itself, which makes it */
  return 1;
}

/* names() -> the names of all embedded Lua modules, as keys */
static int names(lua_State *L)
{
  lua_newtable(L);
  for (size_t i = 0; i < embedded_modules_count; i++) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, embedded_modules[i].name);
  }
  return 1;
}

/* has(name) -> whether an embedded Lua module is called so */
static int has(lua_State *L)
{
  lua_pushboolean(L, find_embedded(luaL_checkstring(L, 1)) != NULL);
  return 1;
}

/* Whether there is a module of that name in the library: pushes its loader. */
static bool push_loader(lua_State *L, const char *name)
{
  for (const luaL_Reg *native = natives; native->name; native++) {
    if (strcmp(native->name, name) != 0) continue;
    lua_pushcfunction(L, native->func);
    return true;
  }
  return strncmp(name, "lurcher", 7) == 0 && preload_push(L, name);
}

/* loader(name) -> a function, or nothing: whatever a script has done to the table `package` */
static int loader(lua_State *L) { return push_loader(L, luaL_checkstring(L, 1)); }

/* __index of package.preload: a module is looked up only when it is first required, which keeps the start
 * short. */
static int find_module(lua_State *L)
{
  const char *name = lua_tostring(L, 2);
  return name && push_loader(L, name);
}

int luaopen_lurcher_native_modules(lua_State *L)
{
  lua_createtable(L, 0, 5);
  lua_pushcfunction(L, names);
  lua_setfield(L, -2, "names");
  lua_pushcfunction(L, has);
  lua_setfield(L, -2, "has");
  lua_pushcfunction(L, loader);
  lua_setfield(L, -2, "loader");
  lua_pushcfunction(L, host_modules_find);
  lua_setfield(L, -2, "offered");
  lua_pushcfunction(L, host_modules_has_path);
  lua_setfield(L, -2, "has_path");
  return 1;
}

void preload_open(lua_State *L)
{
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, find_module);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pop(L, 2);
}
