/* lurcher.native.terminal: whether standard output and standard error are terminals. */
#include <lauxlib.h>
#include <lua.h>
#include <sys/ioctl.h>
#include <unistd.h>

int luaopen_lurcher_native_terminal(lua_State *L);

/* columns(descriptor) -> how wide the terminal is, 0: it does not say; nil: it is no terminal */
static int columns(lua_State *L)
{
  int fd = (int)luaL_checkinteger(L, 1);
  struct winsize size;
  if (!isatty(fd)) return 0;
  lua_pushinteger(L, ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0);
  return 1;
}

int luaopen_lurcher_native_terminal(lua_State *L)
{
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, columns);
  lua_setfield(L, -2, "columns");
  return 1;
}
