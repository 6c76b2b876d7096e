/* lurcher.native.fs: files for Lua. The functions are mechanism, without checks of options:
 * lua/lurcher/fs.lua is the only caller. */
#include "script/bind/bind_fs.h"

#include "core/file/file_job.h"
#include "core/file/file_reader.h"
#include "core/file/file_writer.h"
#include "core/file/guarded.h"
#include "script/base/lua_error.h"
#include "script/task/task.h"
#include "script/task/task_permit.h"

#include <lauxlib.h>
#include <string.h>

int luaopen_lurcher_native_fs(lua_State *L);

static const char reader_name[] = "lurcher.native.fs.reader";
static const char writer_name[] = "lurcher.native.fs.writer";
static const char lock_name[] = "lurcher.native.fs.lock";

typedef struct {
  file_reader *reader; /* NULL: closed */
} reader_box;

typedef struct {
  file_writer *writer;
  bool open; /* counted as an open file */
} writer_box;

static const char *check_path(lua_State *L, int index)
{
  size_t length;
  const char *path = luaL_checklstring(L, index, &length);
  if (strlen(path) != length) luaL_argerror(L, index, "a path cannot contain a NUL byte");
  return path;
}

static uint64_t check_offset(lua_State *L, int index)
{
  double value = luaL_optnumber(L, index, 0);
  luaL_argcheck(L, value >= 0 && value <= 0x1p53, index, "not a number of bytes");
  return (uint64_t)value;
}

/* ---- whole jobs ---- */

/* Pushes a listing as a list of names, or of tables when there are details. */
static void push_listing(lua_State *L, const directory_listing *listing, bool details)
{
  lua_createtable(L, (int)listing->count, 0);
  for (size_t i = 0; i < listing->count; i++) {
    const directory_entry *entry = &listing->entries[i];
    if (details) {
      lua_createtable(L, 0, 4);
      lua_pushstring(L, entry->name);
      lua_setfield(L, -2, "name");
      lua_pushstring(L, entry->type);
      lua_setfield(L, -2, "type");
      lua_pushnumber(L, entry->size);
      lua_setfield(L, -2, "size");
      lua_pushnumber(L, entry->modified);
      lua_setfield(L, -2, "modified");
    } else {
      lua_pushstring(L, entry->name);
    }
    lua_rawseti(L, -2, (int)i + 1);
  }
}

static void push_reader(lua_State *L, int *fd, const char *path)
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

static int push_beneath(lua_State *L, file_job *j)
{
  file_beneath *found = &j->beneath;
  if (found->fd >= 0)
    push_reader(L, &found->fd, j->data.bytes);
  else
    lua_pushstring(L, found->kind == FILE_BENEATH_FOLDER ? "directory" : "other");
  lua_pushnumber(L, found->size);
  lua_pushnumber(L, found->modified);
  lua_pushstring(L, found->tag);
  return 4;
}

static void push_writer(lua_State *L, file_job *j)
{
  writer_box *box = lua_newuserdata(L, sizeof *box);
  *box = (writer_box){0};
  luaL_getmetatable(L, writer_name);
  lua_setmetatable(L, -2);
  box->writer = file_writer_new(&j->target, task_loop(L));
  if (!box->writer) luaL_error(L, "not enough memory");
  box->open = true;
  task_count(L, "file", 1);
  if (j->max && !file_writer_hash(box->writer, j->max)) luaL_error(L, "not enough memory");
}

static void push_lock(lua_State *L, file_job *j)
{
  file_lock *lock = lua_newuserdata(L, sizeof *lock);
  *lock = (file_lock){.fd = -1};
  luaL_getmetatable(L, lock_name);
  lua_setmetatable(L, -2);
  *lock = j->lock;
  j->lock = (file_lock){.fd = -1};
  task_count(L, "file", 1);
}

/* As scripts see it: what they do with it is asked for anew. */
static void push_place(lua_State *L, const buffer *path)
{
  size_t first = path->length > 1 && is_guarded(path->bytes) ? 1 : 0;
  lua_pushlstring(L, path->bytes + first, path->length - first);
}

/* Runs under pcall: (job) -> its results. May raise; the caller frees the job. */
static int push_results(lua_State *L)
{
  file_job *j = lua_touserdata(L, 1);
  if (!j->ok) return errors_return(L, &j->error);
  switch (j->action) {
  case FILE_JOB_READ:
    lua_pushlstring(L, j->data.bytes ? j->data.bytes : "", j->data.length);
    lua_pushnumber(L, j->permissions);
    return 2;
  case FILE_JOB_EXISTS:
    lua_pushboolean(L, j->flag);
    break;
  case FILE_JOB_LIST:
    push_listing(L, &j->listing, j->flag);
    break;
  case FILE_JOB_LOCK:
    push_lock(L, j);
    break;
  case FILE_JOB_OPEN_READER:
    push_reader(L, &j->fd, j->path);
    break;
  case FILE_JOB_OPEN_BENEATH:
    return push_beneath(L, j);
  case FILE_JOB_OPEN_TARGET:
  case FILE_JOB_OPEN_PART:
    push_writer(L, j);
    break;
  case FILE_JOB_FIND_PLACE:
    push_place(L, &j->data);
    lua_pushstring(L, j->kind == FILE_PLACE_NEW ? "new" : j->kind == FILE_PLACE_REGULAR ? "file" : "other");
    return 2;
  case FILE_JOB_MEASURE:
    lua_pushnumber(L, j->size);
    break;
  case FILE_JOB_HASH:
    lua_pushlstring(L, j->data.bytes, j->data.length);
    break;
  default:
    lua_pushboolean(L, true);
  }
  return 1;
}

static const char push_results_key;

static int on_job_over(lua_State *L, operation *op)
{
  file_job *j = container_of(op, file_job, operation);
  int top = lua_gettop(L);
  operation_reset(op);
  lua_pushlightuserdata(L, (void *)&push_results_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushlightuserdata(L, j);
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  file_job_free(j);
  if (status) return lua_error(L);
  return lua_gettop(L) - top;
}

static file_job *new_job(lua_State *L, file_action action, const char *path, const char *data, size_t length)
{
  file_job *j = file_job_new(action, path, data, length);
  if (!j) luaL_error(L, "not enough memory");
  return j;
}

static int run_job(lua_State *L, file_job *j)
{
  file_job_start(j, task_loop(L));
  return task_wait(L, &j->operation, on_job_over);
}

/* read(path, max) -> string, permissions */
static int fs_read(lua_State *L)
{
  if (task_refuses_path(L, 1, TASK_READS)) return 2;
  const char *path = check_path(L, 1);
  double max = luaL_checknumber(L, 2);
  file_job *j = new_job(L, FILE_JOB_READ, path, NULL, 0);
  j->max = max < 1e18 ? (uint64_t)max : (uint64_t)1e18;
  return run_job(L, j);
}

static int run_with_data(lua_State *L, file_action action)
{
  if (task_refuses_path(L, 1, TASK_WRITES)) return 2;
  const char *path = check_path(L, 1);
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);
  file_job *j = new_job(L, action, path, data, length);
  j->flag = lua_toboolean(L, 3);
  return run_job(L, j);
}

/* write(path, data, private), append(path, data) -> true; private: for the owner only, mode 0600 */
static int fs_write(lua_State *L) { return run_with_data(L, FILE_JOB_WRITE); }
static int fs_append(lua_State *L) { return run_with_data(L, FILE_JOB_APPEND); }

static int run_with_other(lua_State *L, file_action action, unsigned use, unsigned other_use)
{
  if (task_refuses_path(L, 1, use) || task_refuses_path(L, 2, other_use)) return 2;
  const char *path = check_path(L, 1), *other = check_path(L, 2);
  return run_job(L, new_job(L, action, path, other, strlen(other) + 1));
}

/* rename(from, to), copy(from, to) -> true. Where a file is renamed to it may be read. */
static int fs_rename(lua_State *L)
{
  return run_with_other(L, FILE_JOB_RENAME, TASK_READS | TASK_WRITES | TASK_KEEPS_LINK,
                        TASK_WRITES | TASK_KEEPS_LINK);
}

static int fs_copy(lua_State *L) { return run_with_other(L, FILE_JOB_COPY, TASK_READS, TASK_WRITES); }

static int run_with_flag(lua_State *L, file_action action, unsigned use)
{
  if (task_refuses_path(L, 1, use)) return 2;
  const char *path = check_path(L, 1);
  bool flag = lua_toboolean(L, 2);
  file_job *j = new_job(L, action, path, NULL, 0);
  j->flag = flag;
  return run_job(L, j);
}

/* exists(path) -> boolean, list(path, details) -> list, mkdir(path, parents), remove(path, recursive) -> true
 */
static int fs_exists(lua_State *L) { return run_with_flag(L, FILE_JOB_EXISTS, TASK_READS); }
static int fs_list(lua_State *L) { return run_with_flag(L, FILE_JOB_LIST, TASK_READS); }
static int fs_mkdir(lua_State *L) { return run_with_flag(L, FILE_JOB_MAKE, TASK_WRITES | TASK_KEEPS_LINK); }
static int fs_remove(lua_State *L)
{
  return run_with_flag(L, FILE_JOB_REMOVE, TASK_WRITES | TASK_KEEPS_LINK);
}

/* lock(path, wait) -> lock; held by somebody else and not `wait`: nil, err of code "EWOULDBLOCK" */
static int fs_lock(lua_State *L) { return run_with_flag(L, FILE_JOB_LOCK, TASK_WRITES | TASK_KEEPS_LINK); }

/* open_reader(path) -> reader */
static int fs_open_reader(lua_State *L) { return run_with_flag(L, FILE_JOB_OPEN_READER, TASK_READS); }

/* open_beneath(folder, name) -> reader (of a regular file), "directory" or "other"; size; time of the latest
 * change; a text that is another one after each change */
static int fs_open_beneath(lua_State *L)
{
  if (task_refuses_path(L, 1, TASK_READS)) return 2;
  const char *folder = check_path(L, 1), *name = check_path(L, 2);
  return run_job(L, new_job(L, FILE_JOB_OPEN_BENEATH, folder, name, strlen(name) + 1));
}

/* open_writer(path, "truncate" | "append" | "atomic", max_hashed) -> writer */
static int fs_open_writer(lua_State *L)
{
  static const char *const modes[] = {
      [FILE_TRUNCATE] = "truncate", [FILE_APPEND] = "append", [FILE_ATOMIC] = "atomic", NULL};
  if (task_refuses_path(L, 1, TASK_WRITES)) return 2;
  const char *path = check_path(L, 1);
  int mode = luaL_checkoption(L, 2, NULL, modes);
  uint64_t max_hashed = check_offset(L, 3);
  file_job *j = new_job(L, FILE_JOB_OPEN_TARGET, path, NULL, 0);
  j->mode = (file_mode)mode;
  j->max = max_hashed;
  return run_job(L, j);
}

/* ---- files that come in parts ---- */

/* place(path) -> where writing ends up, "new" | "file" | "other" */
static int fs_place(lua_State *L) { return run_with_flag(L, FILE_JOB_FIND_PLACE, TASK_WRITES); }

/* open_part(path, offset, cut, max_hashed) -> writer; what it writes is hashed unless it is more */
static int fs_open_part(lua_State *L)
{
  if (task_refuses_path(L, 1, TASK_WRITES | TASK_KEEPS_LINK)) return 2;
  const char *path = check_path(L, 1);
  uint64_t offset = check_offset(L, 2), max_hashed = check_offset(L, 4);
  file_job *j = new_job(L, FILE_JOB_OPEN_PART, path, NULL, 0);
  j->offset = offset;
  j->flag = lua_toboolean(L, 3);
  j->max = max_hashed;
  return run_job(L, j);
}

/* measure(path) -> bytes, -1: it is missing */
static int fs_measure(lua_State *L)
{
  return run_with_flag(L, FILE_JOB_MEASURE, TASK_WRITES | TASK_KEEPS_LINK);
}

/* complete(part, name, exclusive) -> true */
static int fs_complete(lua_State *L)
{
  unsigned kept = lua_toboolean(L, 3) ? TASK_KEEPS_LINK : 0;
  if (task_refuses_path(L, 1, TASK_WRITES | TASK_KEEPS_LINK)) return 2;
  if (task_refuses_path(L, 2, TASK_WRITES | kept)) return 2;
  const char *path = check_path(L, 1), *name = check_path(L, 2);
  file_job *j = new_job(L, FILE_JOB_COMPLETE, path, name, strlen(name) + 1);
  j->flag = lua_toboolean(L, 3);
  return run_job(L, j);
}

/* hash(path) -> its SHA-256, in hexadecimal digits */
static int fs_hash(lua_State *L) { return run_with_flag(L, FILE_JOB_HASH, TASK_READS); }

/* ---- readers ---- */

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
  lua_pushboolean(L, file_reader_seek(r, check_offset(L, 2), check_size(L, 3)));
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

/* ---- writers ---- */

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

/* ---- locks ---- */

/* lock:release(); also its finalizer */
static int lock_release(lua_State *L)
{
  file_lock *lock = luaL_checkudata(L, 1, lock_name);
  if (lock->fd < 0) return 0;
  file_lock_release(lock);
  task_count(L, "file", -1);
  return 0;
}

/* ---- the module ---- */

/* Leaves the method table on the stack. */
static void new_class(lua_State *L, const char *name, lua_CFunction collect)
{
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  lua_remove(L, -2);
}

int luaopen_lurcher_native_fs(lua_State *L)
{
  static const luaL_Reg reader_methods[] = {{"take", reader_take},   {"take_line", reader_take_line},
                                            {"seek", reader_seek},   {"ended", reader_ended},
                                            {"close", reader_close}, {NULL, NULL}};
  static const luaL_Reg writer_methods[] = {{"put", writer_put},         {"is_open", writer_is_open},
                                            {"written", writer_written}, {"hurry", writer_hurry},
                                            {"sha256", writer_sha256},   {NULL, NULL}};
  static const luaL_Reg blocking[] = {{"read", fs_read},
                                      {"write", fs_write},
                                      {"append", fs_append},
                                      {"exists", fs_exists},
                                      {"list", fs_list},
                                      {"mkdir", fs_mkdir},
                                      {"remove", fs_remove},
                                      {"rename", fs_rename},
                                      {"copy", fs_copy},
                                      {"lock", fs_lock},
                                      {"place", fs_place},
                                      {"open_part", fs_open_part},
                                      {"measure", fs_measure},
                                      {"complete", fs_complete},
                                      {"hash", fs_hash},
                                      {"open_reader", fs_open_reader},
                                      {"open_beneath", fs_open_beneath},
                                      {"open_writer", fs_open_writer},
                                      {NULL, NULL}};

  new_class(L, reader_name, reader_close);
  luaL_register(L, NULL, reader_methods);
  task_set_blocking(L, -1, "fill", reader_fill);
  lua_pop(L, 1);

  new_class(L, writer_name, writer_collect);
  luaL_register(L, NULL, writer_methods);
  task_set_blocking(L, -1, "room", writer_room);
  task_set_blocking(L, -1, "flush", writer_flush);
  task_set_blocking(L, -1, "close", writer_close);
  lua_pop(L, 1);

  new_class(L, lock_name, lock_release);
  lua_pushcfunction(L, lock_release);
  lua_setfield(L, -2, "release");
  lua_pop(L, 1);

  lua_pushlightuserdata(L, (void *)&push_results_key);
  lua_pushcfunction(L, push_results);
  lua_rawset(L, LUA_REGISTRYINDEX);

  lua_newtable(L);
  for (const luaL_Reg *f = blocking; f->name; f++) task_set_blocking(L, -1, f->name, f->func);
  return 1;
}
