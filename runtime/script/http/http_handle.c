#include "script/http/http_handle.h"

void http_set_class(lua_State *L, const char *name, http_class make)
{
  luaL_getmetatable(L, name);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    make(L, name);
    luaL_getmetatable(L, name);
  }
  lua_setmetatable(L, -2);
}

http_box *http_new_box(lua_State *L, http_tag tag, const char *name, http_class make)
{
  http_box *box = lua_newuserdata(L, sizeof *box);
  *box = (http_box){.tag = tag};
  http_set_class(L, name, make);
  return box;
}

void http_make_metatable(lua_State *L, const char *name, lua_CFunction gc, const luaL_Reg *methods,
                         void (*more)(lua_State *L))
{
  luaL_checkstack(L, 8, "a class");
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  if (methods) luaL_register(L, NULL, methods);
  if (more) more(L);
  lua_setfield(L, -2, "__index");
  lua_setfield(L, LUA_REGISTRYINDEX, name);
}
