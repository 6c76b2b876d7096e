/* lurcher.native.permit: asks the host for what Lua's own libraries touch; lua/lurcher/task/permissions.lua
 * is the only caller. */
#include "core/file/guarded.h"
#include "script/base/lua_error.h"
#include "script/task/task_internal.h"
#include "script/task/task_permit.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int luaopen_lurcher_native_permit(lua_State *L);

/* ask("env" | "run" | "ffi" | "module", name) -> true, or nil and an error */
static int ask(lua_State *L)
{
  static const char *const names[] = {"env", "run", "ffi", "module", NULL};
  static const permit_kind kinds[] = {PERMIT_ENV, PERMIT_RUN, PERMIT_FFI, PERMIT_MODULE};
  error e;
  permit_request request = {.kind = kinds[luaL_checkoption(L, 1, NULL, names)],
                            .name = luaL_checkstring(L, 2)};
  if (!task_permits(L, &request, &e)) return errors_return(L, &e);
  lua_pushboolean(L, true);
  return 1;
}

/* has_host() -> whether there is somebody to ask; else nothing is allowed */
static int has_host(lua_State *L)
{
  lua_pushboolean(L, runtime_of(L)->options.permit != NULL);
  return 1;
}

/* As Lua's own functions fail: nil, "PATH: REASON", the errno. */
static int return_failure(lua_State *L, int path, int number)
{
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", lua_tostring(L, path), strerror(number));
  lua_pushinteger(L, number);
  return 3;
}

static unsigned use_of(const char *mode)
{
  if (strchr(mode, '+')) return TASK_READS | TASK_WRITES;
  return *mode == 'r' ? TASK_READS : TASK_WRITES;
}

/* A descriptor by whose name in /proc the file can be opened, as often as is wanted. */
static int pin(const char *path, bool makes)
{
  int fd = guarded_open(path, O_PATH | O_CLOEXEC, 0);
  if (fd >= 0 || errno != ENOENT || !makes) return fd;
  fd = guarded_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  return fd < 0 && errno == EEXIST ? guarded_open(path, O_PATH | O_CLOEXEC, 0) : fd;
}

/* open(path, mode of io.open) -> a name for the file, which leads nowhere else until `close` is given the
 * descriptor that comes second; or nil and why not */
static int open_pinned(lua_State *L)
{
  char name[32];
  const char *mode = luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  if (task_refuses_path(L, 1, use_of(mode))) return 2;
  const char *path = lua_tostring(L, 1);
  if (!is_guarded(path)) {
    lua_pushvalue(L, 1);
    return 1;
  }
  int fd = pin(path, *mode != 'r');
  if (fd < 0) return return_failure(L, 3, errno);
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  lua_pushinteger(L, fd);
  lua_pushstring(L, name);
  lua_insert(L, -2);
  return 2;
}

static int close_pinned(lua_State *L)
{
  if (!lua_isnoneornil(L, 1)) close((int)luaL_checkinteger(L, 1));
  return 0;
}

/* remove(path), as os.remove */
static int remove_path(lua_State *L)
{
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  if (task_refuses_path(L, 1, TASK_WRITES | TASK_KEEPS_LINK)) return 2;
  const char *path = lua_tostring(L, 1);
  if (guarded_unlink(path) != 0 && (errno != EISDIR || guarded_rmdir(path) != 0))
    return return_failure(L, 2, errno);
  lua_pushboolean(L, true);
  return 1;
}

/* rename(from, to), as os.rename */
static int rename_path(lua_State *L)
{
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  if (task_refuses_path(L, 1, TASK_READS | TASK_WRITES | TASK_KEEPS_LINK)) return 2;
  if (task_refuses_path(L, 2, TASK_WRITES | TASK_KEEPS_LINK)) return 2;
  if (guarded_rename(lua_tostring(L, 1), lua_tostring(L, 2), 0) != 0) return return_failure(L, 3, errno);
  lua_pushboolean(L, true);
  return 1;
}

/* may_write(path) -> true, or nil and an error */
static int may_write(lua_State *L)
{
  if (task_refuses_path(L, 1, TASK_WRITES)) return 2;
  lua_pushboolean(L, true);
  return 1;
}

int luaopen_lurcher_native_permit(lua_State *L)
{
  static const luaL_Reg functions[] = {{"ask", ask},
                                       {"has_host", has_host},
                                       {"open", open_pinned},
                                       {"close", close_pinned},
                                       {"remove", remove_path},
                                       {"rename", rename_path},
                                       {"may_write", may_write},
                                       {NULL, NULL}};
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  return 1;
}
