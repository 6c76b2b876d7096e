#include "script/base/lua_class.h"

#include <lauxlib.h>

void class_new(lua_State *L, const char *name, lua_CFunction collect)
{
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  lua_remove(L, -2);
}
