#include "script/http/http_handle.h"

http_box *http_new_box(lua_State *L, http_tag tag, const char *metatable)
{
  http_box *box = lua_newuserdata(L, sizeof *box);
  *box = (http_box){.tag = tag};
  luaL_getmetatable(L, metatable);
  lua_setmetatable(L, -2);
  return box;
}

void http_make_metatable(lua_State *L, const char *name, lua_CFunction gc, const luaL_Reg *methods)
{
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  if (methods) luaL_register(L, NULL, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
