#include "script/base/lua_class.h"

void class_new(lua_State *L, const char *name, lua_CFunction collect, const luaL_Reg *methods)
{
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  if (methods) luaL_register(L, NULL, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  lua_remove(L, -2);
}
