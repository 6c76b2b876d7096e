#include "script/runtime/runtime.h"

#include "core/loop/mailbox.h"
#include "core/process/process_registry.h"
#include "lurcher_lua.h"
#include "script/host/host_call.h"
#include "script/host/host_modules.h"
#include "script/host/host_values.h"
#include "script/http/http_network.h"
#include "script/library/library.h"
#include "script/runtime/preload.h"
#include "script/runtime/run_report.h"
#include "script/runtime/run_script.h"
#include "script/runtime/sandbox.h"
#include "script/runtime/state_memory.h"
#include "script/task/task_anchor.h"
#include "script/task/task_cancel.h"
#include "script/task/task_owner.h"
#include "script/task/task_permit.h"
#include "script/task/task_report.h"
#include "script/task/task_scheduler.h"
#include "script/task/task_scope.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const status_names[] = {"ok",      "failed", "syntax", "canceled", "no_memory",
                                           "invalid", "io",     "budget", "limit"};

const char *lur_version(void) { return LURCHER_VERSION; }

unsigned lur_version_number(void) { return LUR_VERSION; }

const char *lur_status_name(lur_status status)
{
  return (size_t)status < sizeof status_names / sizeof *status_names ? status_names[status] : "unknown";
}

const char *lur_error(const lur_runtime *runtime) { return runtime ? runtime->message : ""; }

struct uv_loop_s *lur_loop(lur_runtime *runtime) { return runtime ? runtime->loop.uv : NULL; }

lua_State *lur_lua(lur_runtime *runtime) { return runtime ? runtime->L : NULL; }

void lur_options_init_sized(lur_options *options, size_t size)
{
  if (!options || size < sizeof size) return;
  memset(options, 0, size);
  options->size = size;
  if (size > offsetof(lur_options, log_level)) options->log_level = LUR_LOG_WARN;
  if (size > offsetof(lur_options, libraries)) options->libraries = ALL_LIBRARIES;
}

size_t runtime_known_size(size_t given, size_t known)
{
  return given < known ? given / sizeof(void *) * sizeof(void *) : known;
}

/* ---- open ---- */

/* Lets reports look into functions, also where scripts get no such library. */
static void keep_jit_util(lua_State *L)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
  lua_getfield(L, -1, "jit.util");
  lua_setfield(L, LUA_REGISTRYINDEX, "lurcher.open_jit_util");
  lua_pop(L, 1);
}

/* The first collection comes when the heap has grown to so many times (in percent) what the start left:
 * to 1.3 MB. Modules that a script loads stay, and to look at them again and again took 6 % of the time of
 * loading them. */
enum { FIRST_PAUSE = 1600 };

static int open_state(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  lua_gc(L, LUA_GCSTOP, 0);
  luaL_openlibs(L);
  keep_jit_util(L);
  limits_open(L);
  library_open(L, rt->limits.hooked);
  sandbox_prepare(L);
  lua_pushboolean(L, 1); /* the first luaL_unref needs memory, and none of ours may */
  luaL_unref(L, LUA_REGISTRYINDEX, luaL_ref(L, LUA_REGISTRYINDEX));
  preload_open(L);
  host_modules_open(L);
  task_open(L);
  run_report_watch_network(rt);
  rt->daemons = scope_new(rt);
  if (!rt->daemons || !preload_push(L, "lurcher.task.prelude")) return luaL_error(L, "not enough memory");
  lua_call(L, 0, 0);
  sandbox_open(L);
  host_values_open(L);
  run_script_open(L);
  lua_gc(L, LUA_GCSETPAUSE, FIRST_PAUSE);
  lua_gc(L, LUA_GCRESTART, -1);
  return 0;
}

/* Clean-up after an interruption. Less than the 5 seconds that a single task's clean-up may take, so that a
 * program that is told to end has time to do so within them. */
static const uint64_t INTERRUPT_LIMIT = 4500 * MILLISECOND;

static void force_cancelled(lur_runtime *rt)
{
  rt->hurried = true;
  for (uint32_t i = 0; i < rt->slot_count; i++) {
    lur_task *t = rt->slots[i];
    if (t && (t->stop || (t->in_cleanup && t->scope->cancelled))) task_force(t);
  }
}

static void on_interrupt_due(timer *t) { force_cancelled(container_of(t, lur_runtime, force_timer)); }

void runtime_interrupt(lur_runtime *rt, const char *why)
{
  scope_cancel_scripts(rt, why);
  limits_interrupted(rt);
  uint64_t limit = loop_update_now(&rt->loop) + INTERRUPT_LIMIT;
  if (!clock_start(&rt->loop.real, &rt->force_timer, limit, on_interrupt_due)) force_cancelled(rt);
}

static void on_interrupted(lur_runtime *rt) { runtime_interrupt(rt, NULL); }

static void on_wake(void *user)
{
  lur_runtime *rt = user;
  network *n = atomic_load(&rt->draining) && rt->L ? http_network(rt->L) : NULL;
  if (n) run_limits_drain(&n->run_limits);
  if (atomic_exchange(&rt->interrupted, false)) runtime_interrupt(rt, NULL);
  mailbox_deliver(rt->mailbox);
}

/* What no part of the runtime heeds. A host that sets it must not believe that it holds. */
static bool asks_for_more(const lur_options *o) { return (o->libraries & ~(unsigned)ALL_LIBRARIES) != 0; }

static void script_ended(scope *s);
static void task_has_ended(lur_runtime *rt);

lur_status lur_open(lur_runtime **runtime, const lur_options *options)
{
  if (!runtime) return LUR_INVALID;
  *runtime = NULL;
  if (options && options->size < offsetof(lur_options, log_level)) return LUR_INVALID;
  lur_runtime *rt = calloc(1, sizeof *rt);
  if (!rt) return LUR_NO_MEMORY;
  list_init(&rt->scripts);
  lur_options_init(&rt->options);
  if (options) {
    memcpy(&rt->options, options, runtime_known_size(options->size, sizeof *options));
  }
  if (!(rt->options.max_seconds >= 0) || !(rt->options.slice_seconds >= 0) ||
      !limits_are_valid(&rt->options) || asks_for_more(&rt->options)) {
    free(rt);
    return LUR_INVALID;
  }
  int status = loop_init(&rt->loop, rt->options.loop, rt);
  if (status) {
    free(rt);
    return status == UV_ENOMEM ? LUR_NO_MEMORY : LUR_IO;
  }
  loop_set_slice(&rt->loop, rt->options.slice_seconds);
  random_seed(&rt->random);
  rt->loop.on_ready = task_on_ready;
  rt->loop.on_wake = on_wake;
  rt->on_script_ended = script_ended;
  rt->on_task_ended = task_has_ended;
  rt->on_interrupted = on_interrupted;
  limits_init(rt);
  task_permit_open(rt);
  rt->mailbox = mailbox_new(&rt->loop);
  list_init(&rt->idle_calls);
  list_init(&rt->kept_calls);
  list_init(&rt->running_calls);
  rt->L = rt->mailbox ? state_memory_new(rt) : NULL;
  if (rt->L && lua_cpcall(rt->L, open_state, NULL) == 0 && limits_start(rt)) {
    *runtime = rt;
    return LUR_OK;
  }
  lur_close(rt, NULL, NULL);
  return LUR_NO_MEMORY;
}

/* ---- scripts ---- */

/* Raises what the compiler says, which is on top of the stack, made fit for a terminal. */
static int syntax_error(lua_State *L, const starting_script *start)
{
  lua_pushvalue(L, -1);
  lua_pushlstring(L, start->source, start->length);
  if (!report_ask(L, "syntax", 2)) lua_settop(L, 2);
  return lua_error(L);
}

static int start_script(lua_State *L)
{
  starting_script *start = lua_touserdata(L, 1);
  const char *name = start->chunkname;
  if (start->result && strncmp(name, "@lurcher/", 9) == 0) name = lua_pushfstring(L, "@./%s", name + 1);
  const char *mode = start->runtime->options.libraries & LUR_LIB_BYTECODE ? "bt" : "t";
  int loaded = luaL_loadbufferx(L, start->source, start->length, name, mode);
  if (loaded == LUA_ERRSYNTAX) start->status = LUR_SYNTAX;
  if (loaded != 0) return loaded == LUA_ERRSYNTAX ? syntax_error(L, start) : lua_error(L);
  sandbox_give_globals(L);
  lua_Debug chunk;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">S", &chunk);
  lua_pushvalue(L, -1);
  start->scope->chunk_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  int count = start->prepare ? start->prepare(L, start) : start->argc;
  for (int i = 0; i < start->argc; i++) lua_pushstring(L, start->argv[i]);
  scope *s = start->scope;
  s->main = task_spawn(L, s, count, 0);
  task_set_source(s->main, chunk.short_src, -chunk.lastlinedefined);
  s->main_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* "#!/usr/bin/lurcher": the line's end stays, so that line numbers are right. */
static void skip_shebang(starting_script *start)
{
  if (start->length == 0 || *start->source != '#') return;
  const char *end = memchr(start->source, '\n', start->length);
  start->length = end ? start->length - (size_t)(end - start->source) : 0;
  start->source = end;
}

static const char *wrong_arguments(int argc, const char *const *argv)
{
  if (argc < 0) return "argc is negative";
  if (argc > 0 && !argv) return "argv is NULL";
  for (int i = 0; i < argc; i++)
    if (!argv[i]) return "an argument is NULL";
  return NULL;
}

/* What is wrong with a script to be started; NULL: nothing. */
static const char *wrong_script(const lur_runtime *rt, const starting_script *start)
{
  if (rt->closing) return "the runtime is being closed";
  if (!start->chunkname) return "chunkname is NULL";
  if (!start->source && start->length > 0) return "source is NULL";
  if (start->argc > MAX_ARGUMENTS) return "there are more than 20000 arguments";
  return wrong_arguments(start->argc, start->argv);
}

lur_status lur_start(lur_runtime *rt, const char *chunkname, const char *source, size_t length, int argc,
                     const char *const *argv, lur_done_fn done, void *ud, lur_task **task)
{
  if (task) *task = NULL;
  if (!rt || !runtime_is_here(rt)) return LUR_INVALID;
  starting_script start = {.chunkname = chunkname,
                           .source = source,
                           .length = length,
                           .argc = argc,
                           .argv = argv,
                           .done = done,
                           .done_ud = ud};
  return runtime_start(rt, &start, task);
}

static int collect_now(lua_State *L)
{
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

/* What scripts before left behind may be more than the limit leaves for the next. */
static void make_room(lur_runtime *rt)
{
  const memory_account *a = &rt->loop.memory;
  if (a->limit && a->used > a->limit / 2 && lua_cpcall(rt->L, collect_now, NULL) != 0) lua_pop(rt->L, 1);
}

lur_status runtime_start(lur_runtime *rt, starting_script *start, lur_task **task)
{
  start->runtime = rt;
  const char *wrong = wrong_script(rt, start);
  if (wrong) return runtime_fail(rt, LUR_INVALID, wrong);
  skip_shebang(start);
  if (!start->source) start->source = "";
  scope *s = start->scope = scope_new(rt);
  if (!s) return runtime_fail(rt, LUR_NO_MEMORY, "not enough memory");
  s->is_script = true;
  s->done = start->done;
  s->result = start->result;
  s->ud = start->done_ud;
  s->max_seconds = start->max_seconds;
  start->status = LUR_NO_MEMORY;
  make_room(rt);
  int failed = lua_cpcall(rt->L, start_script, start);
  if (failed) {
    if (failed == LUA_ERRMEM) start->status = LUR_NO_MEMORY; /* also on the way to say what is wrong */
    const char *message = lua_tostring(rt->L, -1);
    runtime_fail(rt, start->status, message ? message : "not enough memory");
    lua_pop(rt->L, 1);
    scope_unref(s);
    return start->status;
  }
  list_prepend(&rt->scripts, &s->script);
  rt->had_scripts = rt->had_script;
  rt->had_script = true;
  if (task) *task = s->main;
  run_report_script_started(rt);
  limits_script_started(rt, s);
  run_script_started(s);
  return LUR_OK;
}

/* A script that is called by a symbolic link has its modules where it is. */
static void push_target(lua_State *L, const char *path)
{
  char target[PATH_MAX];
  struct stat info;
  bool leads_on = !lstat(path, &info) && S_ISLNK(info.st_mode) && realpath(path, target);
  if (leads_on)
    lua_pushstring(L, target);
  else
    lua_pushnil(L);
}

static int set_arg(lua_State *L)
{
  const starting_script *start = lua_touserdata(L, 1);
  lua_createtable(L, start->argc, 1);
  lua_pushstring(L, start->chunkname);
  lua_rawseti(L, -2, 0);
  for (int i = 0; i < start->argc; i++) {
    lua_pushstring(L, start->argv[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setglobal(L, "arg");
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.require");
  lua_pushliteral(L, "lurcher.command.prepare");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "script");
  lua_pushstring(L, start->chunkname);
  push_target(L, start->chunkname);
  lua_call(L, 2, 0);
  return 0;
}

lur_status lur_set_arg(lur_runtime *rt, const char *name, int argc, const char *const *argv)
{
  if (!rt || !runtime_is_here(rt)) return LUR_INVALID;
  starting_script start = {.chunkname = name, .argc = argc, .argv = argv};
  const char *wrong = name ? wrong_arguments(argc, argv) : "name is NULL";
  if (rt->closing) wrong = "the runtime is being closed";
  if (wrong) return runtime_fail(rt, LUR_INVALID, wrong);
  int failed = lua_cpcall(rt->L, set_arg, &start);
  if (!failed) return LUR_OK;
  const char *message = lua_tostring(rt->L, -1);
  runtime_fail(rt, LUR_FAILED, message ? message : "not enough memory");
  lua_pop(rt->L, 1);
  return failed == LUA_ERRMEM ? LUR_NO_MEMORY : LUR_FAILED;
}

static int push_report(lua_State *L)
{
  scope *s = lua_touserdata(L, 1);
  report_mend_place(L, s);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->failed_ref);
  report_push(L, lua_gettop(L));
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  s->failure = malloc(length + 1);
  if (s->failure) memcpy(s->failure, text, length + 1);
  return 0;
}

/* lur_runtime.on_script_ended */
static void script_ended(scope *s)
{
  lur_runtime *rt = s->runtime;
  list_remove(&s->script);
  timer_stop(&s->time_limit);
  limits_begin(rt);
  if (s->failed && !s->failure && lua_cpcall(rt->L, push_report, s) != 0) lua_pop(rt->L, 1);
  if (s->limit && lua_cpcall(rt->L, collect_now, NULL) != 0) lua_pop(rt->L, 1); /* for the next script */
  lur_status status = LUR_OK;
  const char *report = NULL;
  if (s->failed || s->failure || s->out_of_memory) {
    bool no_memory = s->out_of_memory || (s->failed && s->failed->out_of_memory);
    if (no_memory && rt->options.memory_limit && !s->limit) limits_reach(rt, s, LIMIT_MEMORY, NULL);
    status = no_memory ? LUR_NO_MEMORY : LUR_FAILED;
    report = s->failure ? s->failure : "not enough memory for a report";
  } else if (s->host_cancelled || s->main->status == TASK_CANCELED) {
    status = LUR_CANCELED;
    report = s->why ? s->why : rt->cut_cleanup ? task_cleanup_report(rt) : NULL;
  }
  if (list_is_empty(&rt->scripts)) rt->cut_cleanup = rt->hurried = false;
  if (rt->report.used_up) {
    report = run_report_write(rt, report);
    status = LUR_BUDGET;
  }
  if (s->limit) {
    status = LUR_LIMIT;
    if (lua_cpcall(rt->L, report_mend_limit, s) != 0) lua_pop(rt->L, 1);
    report = s->failure ? s->failure : "not enough memory for a report";
  }
  if (list_is_empty(&rt->scripts)) scope_cancel(rt->daemons, NULL);
  if (!rt->daemons->count) rt->daemons->cancelled = false;
  rt->reported = s;
  if (s->result)
    run_script_tell(s, status, report);
  else if (s->done)
    s->done(s->main, status, report, s->ud);
  rt->reported = NULL;
  scope_unref(s);
}

void lur_task_cancel(lur_task *task, const char *why)
{
  if (!task || !runtime_is_here(task->runtime)) return;
  lur_runtime *rt = task->runtime;
  list_each (link, &rt->scripts) {
    scope *s = container_of(link, scope, script);
    if (s->main != task || s->cancelled) continue;
    s->host_cancelled = true;
    s->why = why ? strdup(why) : NULL;
    scope_cancel(s, why);
  }
}

void lur_interrupt(lur_runtime *rt)
{
  if (!rt) return;
  atomic_store(&rt->interrupted, true);
  loop_wake(&rt->loop);
}

void lur_kill_processes(void) { process_registry_kill(); }

void lur_drain(lur_runtime *rt)
{
  if (!rt) return;
  atomic_store(&rt->draining, true);
  loop_wake(&rt->loop);
}

/* ---- run ---- */

static void force_all(lur_runtime *rt)
{
  for (uint32_t i = 0; i < rt->slot_count; i++) {
    if (rt->slots[i]) task_force(rt->slots[i]);
  }
}

/* Nothing but tasks that wait for each other is left. */
static void break_deadlock(lur_runtime *rt)
{
  char *report =
      report_waiting(rt, "deadlock: every task waits for another, and nothing else can happen", 0, false);
  bool cancelled_any = false;
  list_each (link, &rt->scripts) {
    scope *s = container_of(link, scope, script);
    if (s->cancelled) continue;
    cancelled_any = true;
    s->failure = strdup(report ? report : "deadlock");
    scope_cancel(s, "deadlock");
  }
  free(report);
  if (!cancelled_any) force_all(rt); /* shielded, or cancelled before: this time there is no shield */
}

static void release(lur_runtime *rt);

static const char *wrong_run(const lur_runtime *rt)
{
  if (!rt->loop.owned) return "the loop is the host's: the host runs it";
  return rt->running ? "the loop runs already" : NULL;
}

lur_status lur_run(lur_runtime *rt)
{
  if (!rt || !runtime_is_here(rt)) return LUR_INVALID;
  const char *wrong = wrong_run(rt);
  if (wrong) return runtime_fail(rt, LUR_INVALID, wrong);
  rt->running = true;
  on_wake(rt); /* a loop with nothing to wait for does not look, and the others look once tasks have run */
  while (!rt->gone) {
    loop_run(&rt->loop);
    if (rt->gone || (rt->tasks == 0 && !rt->closing)) break;
    break_deadlock(rt);
  }
  rt->running = false;
  if (rt->gone) release(rt);
  return LUR_OK;
}

static void on_run_due(timer *t) { loop_stop(&container_of(t, lur_runtime, run_timer)->loop); }

lur_status lur_run_for(lur_runtime *rt, double seconds)
{
  if (!rt || !runtime_is_here(rt)) return LUR_INVALID;
  const char *wrong = wrong_run(rt);
  if (!wrong && !(seconds >= 0)) wrong = "the number of seconds is negative, or none";
  if (wrong) return runtime_fail(rt, LUR_INVALID, wrong);
  uint64_t due = loop_update_now(&rt->loop) + loop_nanoseconds(seconds);
  if (seconds > 0 && !clock_start(&rt->loop.real, &rt->run_timer, due, on_run_due))
    return runtime_fail(rt, LUR_NO_MEMORY, "not enough memory");
  rt->running = true;
  on_wake(rt);
  if (seconds > 0)
    loop_run(&rt->loop);
  else
    loop_run_ready(&rt->loop);
  rt->running = false;
  timer_stop(&rt->run_timer);
  if (rt->gone) release(rt);
  return LUR_OK;
}

/* ---- close ---- */

static void release(lur_runtime *rt)
{
  lur_closed_fn closed = rt->closed;
  void *ud = rt->closed_ud;
  loop_deinit(&rt->loop);
  for (int i = 0; i < rt->counter_count; i++) {
    if (rt->counters[i].owned) free((char *)rt->counters[i].name);
  }
  mailbox_unref(rt->mailbox);
  free(rt->first_blocks);
  limits_deinit(rt);
  free(rt->report.waiting);
  free(rt->report.report);
  free(rt->slots);
  free(rt->free_slots);
  free(rt);
  if (closed) closed(ud);
}

static void on_loop_closed(void *user)
{
  lur_runtime *rt = user;
  rt->gone = true;
  if (!rt->loop.owned) release(rt);
}

static void close_state(lur_runtime *rt)
{
  timer_stop(&rt->force_timer);
  timer_stop(&rt->limits.force);
  timer_stop(&rt->report.timer);
  mailbox_close(rt->mailbox);
  host_calls_close(rt);
  if (rt->L) {
    if (rt->daemons) scope_unref(rt->daemons);
    lua_close(rt->L);
    rt->L = NULL;
  }
  loop_release(&rt->loop);
  loop_close(&rt->loop, on_loop_closed);
}

static void on_close_now(timer *t) { close_state(container_of(t, lur_runtime, close_timer)); }
static void on_deferred_close(deferred *d) { close_state(container_of(d, lur_runtime, close_deferred)); }

/* From the loop, so that no code of the runtime is on the C stack. */
static void close_soon(lur_runtime *rt)
{
  if (clock_start(&rt->loop.real, &rt->close_timer, loop_update_now(&rt->loop), on_close_now)) return;
  rt->close_deferred.run = on_deferred_close;
  loop_defer(&rt->loop, &rt->close_deferred);
}

/* lur_runtime.on_task_ended */
static void task_has_ended(lur_runtime *rt)
{
  if (rt->closing && rt->tasks == 0) close_soon(rt);
}

static void on_close_due(timer *t) { force_all(container_of(t, lur_runtime, close_timer)); }

void lur_close(lur_runtime *rt, lur_closed_fn closed, void *ud)
{
  if (!rt || !runtime_is_here(rt) || rt->closing) return;
  rt->closing = true;
  rt->closed = closed;
  rt->closed_ud = ud;
  loop_hold(&rt->loop);
  scope_cancel_scripts(rt, "the runtime is being closed");
  if (rt->daemons) scope_cancel(rt->daemons, NULL);
  uint64_t limit = loop_update_now(&rt->loop) + 5000 * MILLISECOND;
  if (rt->tasks == 0)
    close_soon(rt);
  else if (!clock_start(&rt->loop.real, &rt->close_timer, limit, on_close_due))
    force_all(rt);
  if (rt->loop.owned && !rt->running) lur_run(rt);
}
