#include "script/http/http_upload.h"

#include "core/file/file_job.h"
#include "net/transfer/transfer_progress.h"
#include "net/transfer/upload.h"
#include "script/base/lua_error.h"
#include "script/http/http_handle.h"
#include "script/task/task.h"
#include "script/task/task_permit.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char file_name[] = "lurcher.http.file", upload_name[] = "lurcher.http.upload",
                  progress_name[] = "lurcher.http.progress";

/* ---- files ---- */

static int file_gc(lua_State *L)
{
  http_box *box = lua_touserdata(L, 1);
  file_range *range = box->pointer;
  box->pointer = NULL;
  if (range) file_range_free(range);
  free(range);
  return 0;
}

static void file_class(lua_State *L, const char *name) { http_make_metatable(L, name, file_gc, NULL, NULL); }

/* Runs under lua_pcall: (box of the results, job). */
static int push_file(lua_State *L)
{
  file_job *j = lua_touserdata(L, 1);
  if (!j->ok) return errors_return(L, &j->error);
  http_box *box = http_new_box(L, HTTP_FILE, file_name, file_class);
  file_range *range = malloc(sizeof *range);
  if (!range) return luaL_error(L, "not enough memory");
  *range = j->range;
  j->range = (file_range){.fd = -1};
  box->pointer = range;
  if (range->length == FILE_TO_THE_END)
    lua_pushnil(L);
  else
    lua_pushnumber(L, (lua_Number)range->length);
  lua_pushboolean(L, range->fd < 0);
  return 3;
}

static int file_results(lua_State *L, operation *op)
{
  file_job *j = container_of(op, file_job, operation);
  int top = lua_gettop(L);
  operation_reset(op);
  lua_pushcfunction(L, push_file);
  lua_pushlightuserdata(L, j);
  int result = lua_pcall(L, 1, LUA_MULTRET, 0);
  file_job_free(j);
  if (result) return lua_error(L);
  return lua_gettop(L) - top;
}

/* native.file(path, offset, length or nil) → file, its length (nil: unknown), whether it can be read twice |
 * nil, err */
int http_look_at_file(lua_State *L)
{
  size_t size;
  if (task_refuses_path(L, 1, TASK_READS)) return 2;
  const char *path = luaL_checklstring(L, 1, &size);
  luaL_argcheck(L, strlen(path) == size, 1, "a path cannot contain a NUL byte");
  lua_Number offset = luaL_optnumber(L, 2, 0), length = luaL_optnumber(L, 3, -1);
  file_job *j = file_job_new(FILE_JOB_LOOK, path, NULL, 0);
  if (!j) return luaL_error(L, "not enough memory");
  j->range.offset = (uint64_t)offset;
  j->range.length = length < 0 ? FILE_TO_THE_END : (uint64_t)length;
  file_job_start(j, task_loop(L));
  return task_wait(L, &j->operation, file_results);
}

/* ---- bodies ---- */

static const operation_class producing_class = {"the server takes more of the body", NULL};

void http_check_upload(lua_State *L, int index)
{
  if (lua_isnoneornil(L, index) || lua_type(L, index) == LUA_TSTRING) return;
  http_handle(L, index, HTTP_UPLOAD);
}

static int upload_gc(lua_State *L)
{
  http_box *box = lua_touserdata(L, 1);
  upload_unref(box->pointer);
  box->pointer = NULL;
  return 0;
}

/* What the part on the top of the stack is. False: out of memory. */
static bool add_part(lua_State *L, upload *u)
{
  size_t length;
  switch (lua_type(L, -1)) {
  case LUA_TSTRING: {
    const char *bytes = lua_tolstring(L, -1, &length);
    return upload_add_bytes(u, bytes, length);
  }
  case LUA_TUSERDATA:
    return upload_add_file(u, http_handle(L, -1, HTTP_FILE));
  default:
    return upload_add_producer(u);
  }
}

static int awaited_results(lua_State *L, operation *op)
{
  const upload *u = container_of(op, upload, room);
  bool wanted = !u->closed;
  operation_reset(op);
  lua_pushboolean(L, wanted);
  return 1;
}

/* upload:wait() → true when more is wanted, false when nobody reads it any more */
static int await_reader(lua_State *L)
{
  upload *u = http_handle(L, 1, HTTP_UPLOAD);
  upload_await_reader(u, &producing_class);
  return task_wait(L, &u->room, awaited_results);
}

/* upload:put(bytes) */
static int put(lua_State *L)
{
  size_t length;
  upload *u = http_handle(L, 1, HTTP_UPLOAD);
  const char *bytes = luaL_checklstring(L, 2, &length);
  if (!upload_put(u, bytes, length)) return luaL_error(L, "not enough memory");
  return 0;
}

/* upload:put_end(): that was all of the part whose turn it is */
static int put_end(lua_State *L)
{
  upload_put_end(http_handle(L, 1, HTTP_UPLOAD));
  return 0;
}

/* upload:fail(message): the request fails with kind "canceled" */
static int fail(lua_State *L)
{
  error e;
  error_set(&e, ERROR_canceled, "write", "%s", luaL_checkstring(L, 2));
  upload_fail(http_handle(L, 1, HTTP_UPLOAD), &e);
  return 0;
}

/* ---- progress ---- */

static int progress_gc(lua_State *L)
{
  http_box *box = lua_touserdata(L, 1);
  transfer_progress_unref(box->pointer);
  box->pointer = NULL;
  return 0;
}

static void push_length(lua_State *L, int64_t length)
{
  if (length < 0)
    lua_pushnil(L);
  else
    lua_pushnumber(L, (lua_Number)length);
}

/* progress:get() → bytes sent, bytes received, length of what is sent, of what is received (nil: unknown) */
static int progress_get(lua_State *L)
{
  const transfer_progress *p = http_handle(L, 1, HTTP_PROGRESS);
  lua_pushnumber(L, (lua_Number)p->sent);
  lua_pushnumber(L, (lua_Number)p->received);
  push_length(L, p->length_sent);
  push_length(L, p->length_received);
  return 4;
}

static void progress_class(lua_State *L, const char *name)
{
  static const luaL_Reg methods[] = {{"get", progress_get}, {NULL, NULL}};
  http_make_metatable(L, name, progress_gc, methods, NULL);
}

/* native.progress() → progress, which perform and open take */
int http_new_progress(lua_State *L)
{
  http_box *box = http_new_box(L, HTTP_PROGRESS, progress_name, progress_class);
  box->pointer = transfer_progress_new();
  if (!box->pointer) return luaL_error(L, "not enough memory");
  return 1;
}

static void add_reader_wait(lua_State *L) { task_set_blocking(L, -1, "wait", await_reader); }

static void upload_class(lua_State *L, const char *name)
{
  static const luaL_Reg methods[] = {{"put", put}, {"put_end", put_end}, {"fail", fail}, {NULL, NULL}};
  http_make_metatable(L, name, upload_gc, methods, add_reader_wait);
}

/* native.upload({string | file | true, …}, exact) → upload: true stands for what a task produces; a file that
 * can be read once only must not be in two; exact: see upload.h */
int http_new_upload(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  http_box *box = http_new_box(L, HTTP_UPLOAD, upload_name, upload_class);
  upload *u = upload_new(task_loop(L));
  if (!u) return luaL_error(L, "not enough memory");
  box->pointer = u;
  u->exact = lua_toboolean(L, 2);
  for (int i = 1; i <= (int)lua_objlen(L, 1); i++) {
    lua_rawgeti(L, 1, i);
    if (!add_part(L, u)) return luaL_error(L, "not enough memory");
    lua_pop(L, 1);
  }
  lua_pushvalue(L, 1); /* the files' ranges have to stay */
  lua_setfenv(L, -2);
  return 1;
}
