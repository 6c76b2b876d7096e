/* lurcher.native.kinds: the list of error kinds, as { name, flags, when, cure }. */
#include <lua.h>
#include <stddef.h>

int luaopen_lurcher_native_kinds(lua_State *L);

static const struct {
  const char *name, *flags, *when, *cure;
} kinds[] = {
#define ERROR_KIND(name, ...) {#name, __VA_ARGS__},
#include "core/errors.def"
#undef ERROR_KIND
};

int luaopen_lurcher_native_kinds(lua_State *L)
{
  enum { COUNT = sizeof kinds / sizeof *kinds };
  lua_createtable(L, COUNT, 0);
  for (int i = 0; i < COUNT; i++) {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, kinds[i].name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, kinds[i].when);
    lua_setfield(L, -2, "when");
    lua_pushstring(L, kinds[i].cure);
    lua_setfield(L, -2, "cure");
    lua_pushstring(L, kinds[i].flags);
    lua_setfield(L, -2, "flags");
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}
