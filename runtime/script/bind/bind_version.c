/* lurcher.native.version: the version, as a string. */
#include <lua.h>

int luaopen_lurcher_native_version(lua_State *L);

int luaopen_lurcher_native_version(lua_State *L)
{
  lua_pushliteral(L, LURCHER_VERSION);
  return 1;
}
