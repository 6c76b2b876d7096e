#include "script/bind/bind_fs_reader.h"

#include "core/file/file_reader.h"
#include "core/file/guarded.h"
#include "script/base/lua_class.h"
#include "script/base/lua_error.h"
#include "script/task/task.h"

#include <lauxlib.h>
#include <string.h>

static const char reader_name[] = "lurcher.native.fs.reader";

typedef struct {
  file_reader *reader; /* NULL: closed */
} reader_box;

void fs_reader_push(lua_State *L, int *fd, const char *path)
{
  reader_box *box = lua_newuserdata(L, sizeof *box);
  *box = (reader_box){0};
  luaL_getmetatable(L, reader_name);
  lua_setmetatable(L, -2);
  box->reader = file_reader_new(*fd, path, task_loop(L));
  if (!box->reader) luaL_error(L, "not enough memory");
  *fd = -1;
  task_count(L, "file", 1);
}

uint64_t fs_check_offset(lua_State *L, int index)
{
  double value = luaL_optnumber(L, index, 0);
  luaL_argcheck(L, value >= 0 && value <= 0x1p53, index, "not a number of bytes");
  return (uint64_t)value;
}

static file_reader *check_reader(lua_State *L)
{
  reader_box *box = luaL_checkudata(L, 1, reader_name);
  if (!box->reader) errors_raise(L, "the file is closed");
  return box->reader;
}

static int on_filled(lua_State *L, operation *op)
{
  file_reader *r = container_of(op, file_reader, operation);
  bool ok = r->ok && !r->closed;
  error e = r->error;
  if (r->closed)
    error_set(&e, ERROR_file, NULL, "'%.*s%s' was closed while this task was reading it",
              SHORTENED(guarded_name(r->path), 300));
  file_reader_end_wait(r);
  if (!ok) return errors_return(L, &e);
  lua_pushboolean(L, true);
  return 1;
}

/* reader:fill(): waits for more bytes -> true, or nil, err */
static int reader_fill(lua_State *L)
{
  file_reader *r = check_reader(L);
  if (!file_reader_wait(r)) return errors_raise(L, "another task is reading from this file");
  return task_wait(L, &r->operation, on_filled);
}

static int push_taken(lua_State *L, file_take taken, const char *bytes, size_t length)
{
  if (taken == FILE_TAKE_SOME)
    lua_pushlstring(L, bytes, length);
  else if (taken == FILE_TAKE_LONG)
    lua_pushboolean(L, false);
  else
    lua_pushnil(L);
  return 1;
}

static size_t check_size(lua_State *L, int index)
{
  double size = luaL_checknumber(L, index);
  return size < 1e15 ? (size_t)size : (size_t)1e15;
}

/* reader:take(most) -> the bytes that are there, or nil */
static int reader_take(lua_State *L)
{
  file_reader *r = check_reader(L);
  const char *bytes = NULL;
  size_t length = 0;
  file_take taken = file_reader_take(r, check_size(L, 2), &bytes, &length);
  return push_taken(L, taken, bytes, length);
}

/* reader:seek(offset, step) -> whether it goes on from there, so many bytes at a time */
static int reader_seek(lua_State *L)
{
  file_reader *r = check_reader(L);
  lua_pushboolean(L, file_reader_seek(r, fs_check_offset(L, 2), check_size(L, 3)));
  return 1;
}

/* reader:take_line(max) -> a line; nil: fill first, or the end; false: it is longer than max */
static int reader_take_line(lua_State *L)
{
  file_reader *r = check_reader(L);
  const char *bytes = NULL;
  size_t length = 0;
  file_take taken = file_reader_take_line(r, check_size(L, 2), &bytes, &length);
  return push_taken(L, taken, bytes, length);
}

/* reader:ended() -> boolean: nothing is left and nothing will come */
static int reader_ended(lua_State *L)
{
  lua_pushboolean(L, file_reader_ended(check_reader(L)));
  return 1;
}

/* reader:close(); also its finalizer */
static int reader_close(lua_State *L)
{
  reader_box *box = luaL_checkudata(L, 1, reader_name);
  if (!box->reader) return 0;
  file_reader_close(box->reader);
  file_reader_unref(box->reader);
  box->reader = NULL;
  task_count(L, "file", -1);
  return 0;
}

void fs_reader_open(lua_State *L)
{
  static const luaL_Reg reader_methods[] = {{"take", reader_take},   {"take_line", reader_take_line},
                                            {"seek", reader_seek},   {"ended", reader_ended},
                                            {"close", reader_close}, {NULL, NULL}};
  class_new(L, reader_name, reader_close, reader_methods);
  task_set_blocking(L, -1, "fill", reader_fill);
  lua_pop(L, 1);
}
