#include "prompt_session.h"

#include "line_editor.h"
#include "lurcher_lua.h"
#include "manual_pages.h"
#include "output.h"
#include "signals.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MODULE  "lurcher.command.repl" /* and its place in the registry */
#define GLOBALS "lurcher.command.repl.globals"

/* Instructions of Lua between two looks at whether Ctrl-C was pressed; once it was, each one is looked at.
 * The hook is always there, because one that a signal handler brings might get lost. */
enum { LOOK_EVERY = 1000 };

static lur_runtime *session_runtime;
static void (*on_finished)(void);

/* ---- what Lua may call ---- */

static int finished(lua_State *L)
{
  (void)L;
  on_finished();
  return 0;
}

static int show_trace(lua_State *L)
{
  output_show_trace(lua_toboolean(L, 1));
  return 0;
}

static int end_line(lua_State *L)
{
  (void)L;
  output_end_line();
  return 0;
}

static int push_columns(lua_State *L)
{
  lua_pushinteger(L, line_editor_columns());
  return 1;
}

/* pages() -> the manual's pages by name */
static int pages(lua_State *L)
{
  lua_createtable(L, 0, (int)manual_pages_count);
  for (size_t i = 0; i < manual_pages_count; i++) {
    lua_pushstring(L, manual_pages[i].text);
    lua_setfield(L, -2, manual_pages[i].name);
  }
  return 1;
}

static bool is_folder(int folder, const struct dirent *entry)
{
  struct stat status;
  if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  return fstatat(folder, entry->d_name, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

enum { MAX_NAMES = 2000 };

/* list(folder) -> the names in it; those of folders end with "/" */
static int list(lua_State *L)
{
  int count = 0;
  DIR *folder = opendir(lua_tostring(L, 1));
  lua_newtable(L);
  for (struct dirent *entry; folder && count < MAX_NAMES && (entry = readdir(folder));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    lua_pushfstring(L, "%s%s", entry->d_name, is_folder(dirfd(folder), entry) ? "/" : "");
    lua_rawseti(L, -2, ++count);
  }
  if (folder) closedir(folder);
  return 1;
}

static bool write_to(int fd, const char *bytes, size_t length)
{
  while (length) {
    ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno != EINTR) return false;
    if (written < 0) continue;
    bytes += written;
    length -= (size_t)written;
  }
  return true;
}

/* write(path, data) -> what went wrong; only its owner may read the file */
static int push_written(lua_State *L)
{
  size_t length;
  const char *path = lua_tostring(L, 1), *data = lua_tolstring(L, 2, &length);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  struct stat status;
  bool fine = fd >= 0 && fstat(fd, &status) == 0;
  if (fine && S_ISREG(status.st_mode)) fine = fchmod(fd, 0600) == 0;
  fine = fine && write_to(fd, data, length);
  int error = errno;
  if (fd >= 0) close(fd);
  if (fine) return 0;
  lua_pushstring(L, strerror(error));
  return 1;
}

static const struct {
  const char *name;
  lua_CFunction function;
} session_functions[] = {{"finished", finished},    {"trace", show_trace}, {"end_line", end_line},
                         {"columns", push_columns}, {"pages", pages},      {"list", list},
                         {"write", push_written}};

/* ---- asking ---- */

typedef struct {
  const char *function;
  const char *text; /* its argument; NULL: none */
  bool yes;
  char *texts[2];
} question;

static int ask(lua_State *L)
{
  question *q = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, MODULE);
  lua_getfield(L, -1, q->function);
  if (q->text) lua_pushstring(L, q->text);
  lua_call(L, q->text != NULL, 2);
  q->yes = lua_toboolean(L, -2);
  for (int i = 0; i < 2; i++)
    if (lua_type(L, i - 2) == LUA_TSTRING) q->texts[i] = strdup(lua_tostring(L, i - 2));
  return 0;
}

static bool answer(question *q)
{
  lua_State *L = lur_lua(session_runtime);
  if (lua_cpcall(L, ask, q) == 0) return q->yes;
  const char *message = lua_tostring(L, -1);
  output_report(message ? message : "not enough memory");
  lua_pop(L, 1);
  return false;
}

bool session_wants_more(const char *text)
{
  question q = {.function = "wants_more", .text = text};
  return answer(&q);
}

bool session_keeps(const char *entry)
{
  question q = {.function = "keeps", .text = entry};
  return answer(&q);
}

void session_complete(const char *line, const char **insertion, const char **listing)
{
  static question q;
  free(q.texts[0]);
  free(q.texts[1]);
  q = (question){.function = "complete", .text = line};
  answer(&q);
  *insertion = q.texts[0] ? q.texts[0] : "";
  *listing = q.texts[1] ? q.texts[1] : "";
}

void session_cancel(void)
{
  question q = {.function = "cancel"};
  answer(&q);
}

void session_leave(void)
{
  question q = {.function = "leave"};
  answer(&q);
}

/* ---- the globals of an entry's chunk ---- */

static int lend_globals(lua_State *L)
{
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  lua_setfield(L, LUA_REGISTRYINDEX, GLOBALS);
  lua_getfield(L, LUA_REGISTRYINDEX, MODULE);
  lua_replace(L, LUA_GLOBALSINDEX);
  return 0;
}

static int return_globals(lua_State *L)
{
  lua_getfield(L, LUA_REGISTRYINDEX, GLOBALS);
  lua_replace(L, LUA_GLOBALSINDEX);
  return 0;
}

static bool call(lua_CFunction function)
{
  lua_State *L = lur_lua(session_runtime);
  if (lua_cpcall(L, function, NULL) == 0) return true;
  output_report("not enough memory");
  lua_pop(L, 1);
  return false;
}

bool session_lend_globals(void) { return call(lend_globals); }

void session_return_globals(void) { call(return_globals); }

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t interrupted, was_running;
static struct timespec interrupted_at;

static double seconds_since(const struct timespec *then)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

/* Between two instructions of Lua. */
static void on_instruction(lua_State *L, lua_Debug *at)
{
  char task[8];
  if (!interrupted && !signals_stopping()) return;
  lua_getinfo(L, "S", at);
  lua_getfield(L, LUA_REGISTRYINDEX, MODULE);
  lua_getfield(L, -1, "interrupt");
  lua_pushnumber(L, lur_busy(session_runtime, task, sizeof task));
  lua_pushnumber(L, seconds_since(&interrupted_at));
  lua_pushboolean(L, was_running);
  lua_pushboolean(L, strncmp(at->source, "@lurcher/", 9) == 0);
  lua_call(L, 4, 1);
  if (!lua_isnil(L, -1)) lua_error(L);
  lua_pop(L, 2);
}

void session_interrupt(void)
{
  char task[8];
  if (!interrupted) clock_gettime(CLOCK_MONOTONIC, &interrupted_at);
  lur_busy(session_runtime, task, sizeof task);
  was_running = *task != 0;
  interrupted = true;
  lua_sethook(lur_lua(session_runtime), on_instruction, LUA_MASKCOUNT, 1); /* only the count is another */
}

bool session_interrupted(void) { return interrupted; }

double session_interrupted_for(void) { return interrupted ? seconds_since(&interrupted_at) : 0; }

void session_calm(void)
{
  interrupted = false;
  lua_sethook(lur_lua(session_runtime), on_instruction, LUA_MASKCOUNT, LOOK_EVERY);
}

/* ---- open ---- */

static int open_module(lua_State *L)
{
  const bool *has_colours = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.require");
  lua_pushliteral(L, MODULE);
  lua_call(L, 1, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, MODULE);
  lua_getfield(L, -1, "open");
  lua_newtable(L);
  for (size_t i = 0; i < sizeof session_functions / sizeof *session_functions; i++) {
    lua_pushcfunction(L, session_functions[i].function);
    lua_setfield(L, -2, session_functions[i].name);
  }
  lua_pushboolean(L, *has_colours);
  lua_call(L, 2, 0);
  return 0;
}

bool session_open(lur_runtime *rt, bool has_colours, void (*finished_hook)(void))
{
  session_runtime = rt;
  on_finished = finished_hook;
  lua_State *L = lur_lua(rt);
  if (lur_hook_libraries(rt) == LUR_OK && lua_cpcall(L, open_module, &has_colours) == 0) {
    session_calm();
    return true;
  }
  const char *message = lua_tostring(L, -1);
  output_report(message ? message : "not enough memory");
  lua_pop(L, 1);
  return false;
}
