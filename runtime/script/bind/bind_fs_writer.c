#include "script/bind/bind_fs_writer.h"

#include "script/base/lua_class.h"
#include "script/base/lua_error.h"
#include "script/task/task.h"

#include <lauxlib.h>
#include <string.h>

static const char writer_name[] = "lurcher.native.fs.writer";

typedef struct {
  file_writer *writer;
  bool open; /* counted as an open file */
} writer_box;

void fs_writer_push(lua_State *L, file_target *target, uint64_t max_hashed)
{
  writer_box *box = lua_newuserdata(L, sizeof *box);
  *box = (writer_box){0};
  luaL_getmetatable(L, writer_name);
  lua_setmetatable(L, -2);
  box->writer = file_writer_new(target, task_loop(L));
  if (!box->writer) luaL_error(L, "not enough memory");
  box->open = true;
  task_count(L, "file", 1);
  if (max_hashed && !file_writer_hash(box->writer, max_hashed)) luaL_error(L, "not enough memory");
}

static writer_box *check_writer(lua_State *L) { return luaL_checkudata(L, 1, writer_name); }

/* writer:put(bytes) -> true; false: done, but wait for room now; or nil, err */
static int writer_put(lua_State *L)
{
  file_writer *w = check_writer(L)->writer;
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  if (w->state != FILE_WRITER_OPEN) return errors_raise(L, "the file is closed");
  if (!w->ok) return errors_return(L, &w->error);
  if (!file_writer_append(w, bytes, length)) return luaL_error(L, "not enough memory");
  lua_pushboolean(L, !file_writer_full(w));
  return 1;
}

static int on_wait_over(lua_State *L, operation *op)
{
  error e;
  if (!file_wait_end(container_of(op, file_wait, operation), &e)) return errors_return(L, &e);
  lua_pushboolean(L, true);
  return 1;
}

static int wait_for(lua_State *L, file_wait_for what)
{
  file_wait *wait = file_writer_wait(check_writer(L)->writer, what);
  if (!wait) return luaL_error(L, "not enough memory");
  return task_wait(L, &wait->operation, on_wait_over);
}

/* writer:room(), writer:flush(): wait -> true, or nil, err */
static int writer_room(lua_State *L) { return wait_for(L, FILE_WAIT_ROOM); }
static int writer_flush(lua_State *L) { return wait_for(L, FILE_WAIT_FLUSHED); }

/* writer:close(discard) -> true, or nil, err; closing again gives the same */
static int writer_close(lua_State *L)
{
  writer_box *box = check_writer(L);
  if (box->open) {
    box->open = false;
    task_count(L, "file", -1);
    file_writer_close(box->writer, lua_toboolean(L, 2));
  }
  return wait_for(L, FILE_WAIT_CLOSED);
}

file_writer *fs_writer_check(lua_State *L, int index)
{
  const writer_box *box = luaL_checkudata(L, index, writer_name);
  luaL_argcheck(L, box->open, index, "the file is closed");
  return box->writer;
}

/* writer:hurry(): from now on what is added is written at once, and does not wait for more */
static int writer_hurry(lua_State *L)
{
  check_writer(L)->writer->start = 1;
  return 0;
}

/* writer:written() -> bytes that reached the system */
static int writer_written(lua_State *L)
{
  lua_pushnumber(L, (double)check_writer(L)->writer->written);
  return 1;
}

/* writer:sha256() -> of what was written, flushed or closed, in hexadecimal digits; nil: it was not hashed.
 * Nothing may be added afterwards */
static int writer_sha256(lua_State *L)
{
  const file_writer *w = check_writer(L)->writer;
  char digits[SHA256_DIGITS + 1];
  if (w->job.running || w->written != w->appended || !w->hash || !w->ok) return 0;
  sha256_end(w->hash, digits);
  lua_pushlstring(L, digits, SHA256_DIGITS);
  return 1;
}

/* writer:is_open() -> boolean */
static int writer_is_open(lua_State *L)
{
  lua_pushboolean(L, check_writer(L)->open);
  return 1;
}

static int writer_collect(lua_State *L)
{
  writer_box *box = check_writer(L);
  if (box->open) task_count(L, "file", -1);
  if (box->writer) file_writer_drop(box->writer);
  *box = (writer_box){0};
  return 0;
}

void fs_writer_open(lua_State *L)
{
  static const luaL_Reg writer_methods[] = {{"put", writer_put},         {"is_open", writer_is_open},
                                            {"written", writer_written}, {"hurry", writer_hurry},
                                            {"sha256", writer_sha256},   {NULL, NULL}};
  class_new(L, writer_name, writer_collect, writer_methods);
  task_set_blocking(L, -1, "room", writer_room);
  task_set_blocking(L, -1, "flush", writer_flush);
  task_set_blocking(L, -1, "close", writer_close);
  lua_pop(L, 1);
}
