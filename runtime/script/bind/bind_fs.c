/* lurcher.native.fs: files for Lua. The functions are mechanism, without checks of options:
 * lua/lurcher/fs.lua is the only caller. */
#include "core/file/file_job.h"
#include "core/file/guarded.h"
#include "script/base/lua_class.h"
#include "script/base/lua_error.h"
#include "script/bind/bind_fs_reader.h"
#include "script/bind/bind_fs_writer.h"
#include "script/task/task.h"
#include "script/task/task_permit.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int luaopen_lurcher_native_fs(lua_State *L);

static const char lock_name[] = "lurcher.native.fs.lock";

static const char *check_path(lua_State *L, int index)
{
  size_t length;
  const char *path = luaL_checklstring(L, index, &length);
  if (strlen(path) != length) luaL_argerror(L, index, "a path cannot contain a NUL byte");
  return path;
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

static int push_beneath(lua_State *L, file_job *j)
{
  file_beneath *found = &j->beneath;
  if (found->fd >= 0)
    fs_reader_push(L, &found->fd, j->data.bytes);
  else
    lua_pushstring(L, found->kind == FILE_BENEATH_FOLDER ? "directory" : "other");
  lua_pushnumber(L, found->size);
  lua_pushnumber(L, found->modified);
  lua_pushstring(L, found->tag);
  return 4;
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
    fs_reader_push(L, &j->fd, j->path);
    break;
  case FILE_JOB_OPEN_BENEATH:
    return push_beneath(L, j);
  case FILE_JOB_OPEN_TARGET:
  case FILE_JOB_OPEN_PART:
    fs_writer_push(L, &j->target, j->max);
    break;
  case FILE_JOB_OPEN_SPOOL:
    fs_writer_push(L, &j->target, 0);
    fs_reader_push(L, &j->fd, j->path);
    return 2;
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

/* The folders above it that will be made, too, each are asked for. */
static bool permits_parents(lua_State *L, const char *path, error *e)
{
  char part[PATH_MAX + 2], *slash;
  struct stat status;
  snprintf(part, sizeof part, "%s", path);
  while ((slash = strrchr(part + 2, '/'))) {
    *slash = '\0';
    if (guarded_stat(part, &status) == 0) return true;
    permit_request request = {.kind = PERMIT_WRITE, .name = guarded_name(part)};
    if (!task_permits(L, &request, e)) return false;
  }
  return true;
}

static int fs_mkdir(lua_State *L)
{
  error e;
  if (task_refuses_path(L, 1, TASK_WRITES | TASK_KEEPS_LINK)) return 2;
  const char *path = check_path(L, 1);
  bool parents = lua_toboolean(L, 2);
  if (parents && is_guarded(path) && !permits_parents(L, path, &e)) return errors_return(L, &e);
  file_job *j = new_job(L, FILE_JOB_MAKE, path, NULL, 0);
  j->flag = parents;
  return run_job(L, j);
}

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

/* open_writer(path, "truncate" | "append" | "atomic", max_hashed, private) -> writer; private: as write,
 * atomic only */
static int fs_open_writer(lua_State *L)
{
  static const char *const modes[] = {
      [FILE_TRUNCATE] = "truncate", [FILE_APPEND] = "append", [FILE_ATOMIC] = "atomic", NULL};
  if (task_refuses_path(L, 1, TASK_WRITES)) return 2;
  const char *path = check_path(L, 1);
  int mode = luaL_checkoption(L, 2, NULL, modes);
  uint64_t max_hashed = fs_check_offset(L, 3);
  file_job *j = new_job(L, FILE_JOB_OPEN_TARGET, path, NULL, 0);
  j->mode = (file_mode)mode;
  j->max = max_hashed;
  j->flag = lua_toboolean(L, 4);
  return run_job(L, j);
}

/* open_spool(path) -> writer and reader of a file without a name, beside the path */
static int fs_open_spool(lua_State *L) { return run_with_flag(L, FILE_JOB_OPEN_SPOOL, TASK_WRITES); }

/* ---- files that come in parts ---- */

/* place(path) -> where writing ends up, "new" | "file" | "other" */
static int fs_place(lua_State *L) { return run_with_flag(L, FILE_JOB_FIND_PLACE, TASK_WRITES); }

/* open_part(path, offset, cut, max_hashed) -> writer; what it writes is hashed unless it is more */
static int fs_open_part(lua_State *L)
{
  if (task_refuses_path(L, 1, TASK_WRITES | TASK_KEEPS_LINK)) return 2;
  const char *path = check_path(L, 1);
  uint64_t offset = fs_check_offset(L, 2), max_hashed = fs_check_offset(L, 4);
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

int luaopen_lurcher_native_fs(lua_State *L)
{
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
                                      {"open_spool", fs_open_spool},
                                      {NULL, NULL}};

  static const luaL_Reg lock_methods[] = {{"release", lock_release}, {NULL, NULL}};
  fs_reader_open(L);
  fs_writer_open(L);
  class_new(L, lock_name, lock_release, lock_methods);
  lua_pop(L, 1);

  lua_pushlightuserdata(L, (void *)&push_results_key);
  lua_pushcfunction(L, push_results);
  lua_rawset(L, LUA_REGISTRYINDEX);

  lua_newtable(L);
  for (const luaL_Reg *f = blocking; f->name; f++) task_set_blocking(L, -1, f->name, f->func);
  return 1;
}
