/* lurcher.native.suffixes: which domains are public suffixes, by libpsl's built-in list. */
#include <lauxlib.h>
#include <libpsl.h>
#include <lua.h>

int luaopen_lurcher_native_suffixes(lua_State *L);

/* is_public(domain): true when anybody can register names below `domain` ("com", "co.uk", "github.io"), and
 * for every single label. The domain is in lower case, and in punycode or UTF-8. */
static int is_public(lua_State *L)
{
  const char *domain = luaL_checkstring(L, 1);
  const psl_ctx_t *list = psl_builtin();
  lua_pushboolean(L, !list || psl_is_public_suffix(list, domain));
  return 1;
}

int luaopen_lurcher_native_suffixes(lua_State *L)
{
  lua_newtable(L);
  lua_pushcfunction(L, is_public);
  lua_setfield(L, -2, "is_public");
  return 1;
}
