/* lurcher.native.process: child processes for Lua. Mechanism only: lua/lurcher/process.lua checks what it
 * gives. */
#include "core/file/file.h"
#include "core/file/guarded.h"
#include "core/file/guarded_path.h"
#include "core/process/process.h"
#include "script/base/lua_class.h"
#include "script/base/lua_error.h"
#include "script/task/task.h"
#include "script/task/task_permit.h"

#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int luaopen_lurcher_native_process(lua_State *L);

static const char process_name[] = "lurcher.native.process";

typedef struct {
  process *process;
  bool counted; /* as one that is open */
} box;

static box *check_box(lua_State *L)
{
  box *b = luaL_checkudata(L, 1, process_name);
  if (!b->process) errors_raise(L, "the process is gone: the task that started it has ended");
  return b;
}

static process *check_process(lua_State *L) { return check_box(L)->process; }

/* The strings of the list at `index`, NULL at the end, in memory that the collector owns; NULL for nil. It is
 * left on the stack. */
static char **push_strings(lua_State *L, int index)
{
  if (lua_isnil(L, index)) {
    lua_pushnil(L);
    return NULL;
  }
  size_t count = lua_objlen(L, index);
  char **strings = lua_newuserdata(L, (count + 1) * sizeof *strings);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, index, (int)i + 1);
    strings[i] = (char *)(uintptr_t)lua_tostring(L, -1); /* lives on in the list */
    lua_pop(L, 1);
  }
  strings[count] = NULL;
  return strings;
}

/* ---- permissions ---- */

/* Where the system finds a program, whatever the script calls PATH. */
static bool find_program(const char *name, char *path, size_t size)
{
  const char *folders = getenv("PATH");
  for (const char *at = folders ? folders : "/usr/bin:/bin"; at;
       at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
    int length = (int)strcspn(at, ":");
    if (length && snprintf(path, size, "%.*s/%s", length, at, name) < (int)size && access(path, X_OK) == 0)
      return true;
  }
  return false;
}

/* What is run in place of the command: one that was asked for by this path or by its name. `file` has room
 * for PATH_MAX bytes. */
static bool permits_run(lua_State *L, process_options *options, char *file, error *e)
{
  const char *name = options->arguments[0];
  permit_request request = {.kind = PERMIT_RUN, .name = name};
  if (!task_permit(L)) return true;
  options->file = file;
  if (!strchr(name, '/'))
    return task_permits(L, &request, e) &&
           (find_program(name, file, PATH_MAX) || file_error(e, "run", name, ENOENT));
  char *found = guarded_path(name, true);
  if (!found) return file_error(e, "run", name, errno);
  snprintf(file, PATH_MAX, "%s", guarded_name(found));
  free(found);
  request.name = file;
  return task_permits(L, &request, e);
}

static bool permits_variable(lua_State *L, const char *entry)
{
  error e;
  char name[256] = "";
  size_t length = strcspn(entry, "=");
  if (length >= sizeof name) return false;
  memcpy(name, entry, length);
  permit_request request = {.kind = PERMIT_ENV, .name = name, .why = "for another program"};
  return task_permits(L, &request, &e);
}

/* The variables of this process that the script may read, in memory that is left on the stack. */
static char **push_environment(lua_State *L)
{
  size_t count = 0, kept = 0;
  while (environ[count]) count++;
  char **list = lua_newuserdata(L, (count + 1) * sizeof *list);
  for (size_t i = 0; i < count; i++)
    if (permits_variable(L, environ[i])) list[kept++] = environ[i];
  list[kept] = NULL;
  return list;
}

/* start(arguments, environment or nil, directory or nil, has_input, seconds or nil, kept output, kept errors)
 * → a process | nil, err */
static int start(lua_State *L)
{
  error e;
  char file[PATH_MAX];
  lua_settop(L, 7);
  if (!lua_isnil(L, 3) && task_refuses_path(L, 3, TASK_READS)) return 2;
  process_options options = {
      .arguments = push_strings(L, 1),
      .environment = push_strings(L, 2),
      .directory = lua_tostring(L, 3),
      .has_input = lua_toboolean(L, 4),
      .timeout = lua_isnumber(L, 5) ? loop_nanoseconds(lua_tonumber(L, 5)) : 0,
      .kept = {(size_t)luaL_checknumber(L, 6), (size_t)luaL_checknumber(L, 7)},
  };
  if (!permits_run(L, &options, file, &e)) return errors_return(L, &e);
  if (task_permit(L) && !options.environment) options.environment = push_environment(L);
  box *b = lua_newuserdata(L, sizeof *b);
  *b = (box){0};
  luaL_getmetatable(L, process_name);
  lua_setmetatable(L, -2);
  b->process = process_start(task_loop(L), &options, &e);
  if (!b->process) return errors_return(L, &e);
  b->counted = true;
  task_count(L, "process", 1);
  return 1;
}

static int collect_process(lua_State *L)
{
  box *b = lua_touserdata(L, 1);
  if (b->process) process_abandon(b->process);
  b->process = NULL;
  return 0;
}

static int check_stream(lua_State *L, int index)
{
  double stream = luaL_checknumber(L, index);
  luaL_argcheck(L, stream == 1 || stream == 2, index, "no stream");
  return (int)stream - 1;
}

/* take(stream 1 or 2, max) → bytes | nil: nothing is there */
static int take_output(lua_State *L)
{
  process *p = check_process(L);
  int stream = check_stream(L, 2);
  double max = luaL_checknumber(L, 3);
  byte_queue *bytes = process_stream(p, stream);
  size_t length = byte_queue_length(bytes);
  if (length == 0) return 0;
  if (max < (double)length) length = (size_t)max;
  lua_pushlstring(L, byte_queue_front(bytes), length);
  process_take(p, stream, length);
  return 1;
}

/* take_line(stream, whole) → the next line without its end | nil: it is not there. `whole`: what is there is
 * one, however it ends. */
static int take_line(lua_State *L)
{
  process *p = check_process(L);
  int stream = check_stream(L, 2);
  byte_queue *bytes = process_stream(p, stream);
  size_t there = byte_queue_length(bytes);
  const char *front = byte_queue_front(bytes), *end = there ? memchr(front, '\n', there) : NULL;
  if (!end && !(there && lua_toboolean(L, 3))) return 0;
  size_t length = end ? (size_t)(end - front) : there, shown = length;
  if (end && shown && front[shown - 1] == '\r') shown--;
  lua_pushlstring(L, front, shown);
  process_take(p, stream, end ? length + 1 : length);
  return 1;
}

/* left(stream) → the bytes that are there, and whether no others can follow */
static int left(lua_State *L)
{
  process *p = check_process(L);
  int stream = check_stream(L, 2);
  lua_pushnumber(L, (double)byte_queue_length(process_stream(p, stream)));
  lua_pushboolean(L, process_stream_ended(p, stream));
  return 2;
}

/* write(bytes): queues them */
static int write_input(lua_State *L)
{
  size_t length;
  process *p = check_process(L);
  const char *bytes = luaL_checklstring(L, 2, &length);
  return process_write(p, bytes, length) ? 0 : luaL_error(L, "not enough memory");
}

/* unwritten() → how many bytes, and the errno's name and words when nobody reads them */
static int unwritten(lua_State *L)
{
  process *p = check_process(L);
  int failed = process_input_error(p);
  lua_pushnumber(L, (double)process_unwritten(p));
  if (!failed) return 1;
  lua_pushstring(L, uv_err_name(failed));
  lua_pushstring(L, uv_strerror(failed));
  return 3;
}

static int close_stdin(lua_State *L)
{
  process_close_input(check_process(L));
  return 0;
}

/* result() → nothing while it runs | exit status or nil, the number of the signal that ended it or nil,
 * whether it was stopped because its time was up */
static int result(lua_State *L)
{
  box *b = check_box(L);
  int64_t status;
  int signal;
  if (!process_ended(b->process, &status, &signal)) return 0;
  if (b->counted) task_count(L, "process", -1);
  b->counted = false;
  lua_settop(L, 0);
  if (signal)
    lua_pushnil(L);
  else
    lua_pushnumber(L, (double)status);
  if (signal)
    lua_pushnumber(L, signal);
  else
    lua_pushnil(L);
  lua_pushboolean(L, process_timed_out(b->process));
  return 3;
}

static int send_signal(lua_State *L)
{
  process_signal(check_process(L), (int)luaL_checknumber(L, 2));
  return 0;
}

static int stop(lua_State *L)
{
  process_stop(check_process(L));
  return 0;
}

static int id(lua_State *L)
{
  lua_pushnumber(L, process_id(check_process(L)));
  return 1;
}

static int on_changed(lua_State *L, operation *op)
{
  (void)L;
  process_wait_free(container_of(op, process_wait, op));
  return 0;
}

/* await(process): until something has happened to it */
static int await_start(lua_State *L)
{
  process_wait *w = process_wait_new(check_process(L));
  if (!w) return luaL_error(L, "not enough memory");
  return task_wait(L, &w->op, on_changed);
}

int luaopen_lurcher_native_process(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"take", take_output},    {"take_line", take_line},     {"left", left},     {"write", write_input},
      {"unwritten", unwritten}, {"close_stdin", close_stdin}, {"result", result}, {"signal", send_signal},
      {"stop", stop},           {"release", collect_process}, {"id", id},         {NULL, NULL},
  };
  class_new(L, process_name, collect_process, methods);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushcfunction(L, start);
  lua_setfield(L, -2, "start");
  task_set_blocking(L, -1, "await", await_start);
  return 1;
}
