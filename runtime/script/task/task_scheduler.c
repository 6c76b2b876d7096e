#include "script/task/task_scheduler.h"

#include "script/base/lua_error.h"
#include "script/task/task_anchor.h"
#include "script/task/task_busy.h"
#include "script/task/task_cancel.h"
#include "script/task/task_limits.h"
#include "script/task/task_park.h"
#include "script/task/task_scope.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const operation_class starting = {"its start", NULL};

/* ---- start ---- */

void task_set_source(lur_task *t, const char *name, int line)
{
  size_t length = strlen(name), room = sizeof t->source - 1;
  const char *tail = length > room ? name + length - room : name;
  memcpy(t->source, tail, strlen(tail) + 1);
  t->line = line;
}

/* Where the task was spawned: the first user code on the stack. */
static void note_spawn_site(lua_State *L, lur_task *t)
{
  lua_Debug at;
  for (int level = 1; lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0 || strncmp(at.source, "@lurcher/", 9) == 0) continue;
    task_set_source(t, at.short_src, at.currentline);
    return;
  }
}

void task_queue(lur_task *t, const operation_class *class)
{
  operation_begin(&t->op, class, &t->runtime->loop, false);
  t->op.owner = t;
  operation_complete(&t->op);
}

static int grow_stack(lua_State *L)
{
  /* By pushing: lua_checkstack gives a C function 8,000 places at most, a push of LuaJIT's as many as there
   * are. */
  for (int left = *(const int *)lua_touserdata(L, 1); left > 0; left--) lua_pushnil(L);
  return 0;
}

/* Makes room for more arguments than a new coroutine has. */
static void make_room(lua_State *L, lua_State *co, int arguments)
{
  if (arguments + 4 < LUA_MINSTACK || lua_cpcall(co, grow_stack, &arguments) == 0) return;
  lua_xmove(co, L, 1);
  lua_error(L);
}

lur_task *task_spawn(lua_State *L, scope *s, int arguments, unsigned flags)
{
  lur_runtime *rt = s->runtime;
  if (rt->options.max_tasks && rt->tasks >= rt->options.max_tasks && rt->current) limits_refuse_task(L);
  lur_task *t = lua_newuserdata(L, sizeof *t);
  memset(t, 0, sizeof *t);
  list_init(&t->joiners);
  t->runtime = rt;
  t->id = ++rt->last_id;
  t->isolated = flags & TASK_ISOLATED;
  t->body = flags & TASK_BODY;
  const lur_task *parent = rt->current;
  t->clock = flags & TASK_SERVER ? CLOCK_OF_SERVERS : parent ? parent->clock : CLOCK_REAL;
  if (flags & TASK_VIRTUAL && t->clock == CLOCK_REAL) t->clock = CLOCK_VIRTUAL;
  luaL_getmetatable(L, "lurcher.task");
  lua_setmetatable(L, -2);
  lua_insert(L, -arguments - 2);
  lua_State *co = lua_newthread(L);
  make_room(L, co, arguments);
  int thread = lua_gettop(L);
  task_anchor(L, t, thread - arguments - 2, thread);
  lua_pop(L, 1);
  note_spawn_site(L, t);
  /* Nothing can fail from here on. */
  lua_xmove(L, co, arguments + 1);
  t->L = co;
  t->arguments = arguments;
  rt->tasks++;
  t->script = s->is_script ? s : parent ? parent->script : NULL;
  if (t->script) t->script->references++;
  scope_add(s, t);
  task_queue(t, &starting);
  if (s->cancelled) task_cancel(t, NULL);
  return t;
}

void task_open(lua_State *L)
{
  runtime_of(L)->cleanup_ref = runtime_of(L)->unwound_ref = LUA_NOREF;
  task_open_anchors(L);
  task_open_blocking(L);
}

/* ---- running and ending ---- */

typedef struct {
  lur_task *task;
  int status; /* of lua_resume */
} ending;

static bool is_cancellation(lua_State *L, int index)
{
  if (!errors_is(L, index)) return false;
  if (index < 0) index += lua_gettop(L) + 1;
  lua_pushliteral(L, "kind");
  lua_rawget(L, index);
  const char *kind = lua_tostring(L, -1);
  bool is = kind && strcmp(kind, "canceled") == 0;
  lua_pop(L, 1);
  return is;
}

static bool is_text(lua_State *L, int index, const char *text)
{
  return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), text) == 0;
}

static const char no_memory[] = "not enough memory"; /* LuaJIT's words */

/* Those words, or a position and those words, as luaL_error makes them. */
static bool is_no_memory_text(lua_State *L, int index)
{
  size_t length, wanted = sizeof no_memory - 1;
  const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &length) : NULL;
  if (!text || length < wanted || strcmp(text + length - wanted, no_memory) != 0) return false;
  return length == wanted || (length > wanted + 3 && memcmp(text + length - wanted - 2, ": ", 2) == 0 &&
                              strchr("0123456789", text[length - wanted - 3]));
}

/* What C code of the runtime returned for want of memory. */
static bool is_no_memory_object(lua_State *L, int index)
{
  if (!errors_is(L, index)) return false;
  int top = lua_gettop(L), at = index < 0 ? top + 1 + index : index;
  static const char *const fields[] = {"code", "kind", "message"};
  for (int i = 0; i < 3; i++) {
    lua_pushstring(L, fields[i]);
    lua_rawget(L, at);
  }
  const char *message = lua_tostring(L, top + 3);
  bool is = is_text(L, top + 1, "ENOMEM") ||
            (is_text(L, top + 2, "limit") && message && strncmp(message, "out of memory", 13) == 0);
  lua_settop(L, top);
  return is;
}

/* Whether an error means that memory ran out. A handler of errors that finds none itself is told as an error
 * in error handling. */
static bool is_no_memory(lua_State *L, int index)
{
  return is_no_memory_text(L, index) || is_no_memory_object(L, index) ||
         (runtime_of(L)->refused && is_text(L, index, "error in error handling"));
}

static void fail_for_memory(lur_task *t)
{
  t->status = TASK_FAILED;
  t->out_of_memory = true;
}

/* Keeps the error on top of L's stack (popped), and the coroutine for its traceback, in the task's locals. */
static void keep_error(lua_State *L, lur_task *t)
{
  t->out_of_memory = is_no_memory(L, -1);
  task_push(L, t);
  task_push_locals(L, -1, t);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "error");
  if (t->L) {
    lua_pushthread(t->L);
    lua_xmove(t->L, L, 1);
    lua_setfield(L, -2, "thread");
  }
  lua_pop(L, 3);
}

static void keep_results(lua_State *L, lur_task *t)
{
  lua_State *co = t->L;
  int count = lua_gettop(co);
  t->status = TASK_DONE;
  if (count == 0) return;
  if (count >= 2 && lua_isnil(co, 1) && !t->body && !lua_isnil(co, 2)) {
    t->status = TASK_FAILED;
    lua_pushvalue(co, 2);
    lua_xmove(co, L, 1);
    keep_error(L, t);
    return;
  }
  task_push(L, t);
  if (t->has_locals) {
    lua_getfenv(L, -1);
  } else {
    lua_createtable(L, count, 0);
    lua_pushvalue(L, -1);
    lua_setfenv(L, -3);
    t->has_locals = true;
  }
  luaL_checkstack(L, count, "task results");
  lua_xmove(co, L, count);
  t->result_count = count;
  for (int i = count; i > 0; i--) lua_rawseti(L, -i - 1, i);
  lua_pop(L, 2);
}

static int keep_outcome(lua_State *L)
{
  const ending *end = lua_touserdata(L, 1);
  lur_task *t = end->task;
  if (t->in_cleanup) { /* the clean-up returns what was raised in it, if anything was */
    bool raised = end->status != 0 || (lua_gettop(t->L) > 0 && !lua_isnil(t->L, -1));
    if (!raised || t->status == TASK_FAILED) return 0;
    if (t->forced && is_cancellation(t->L, -1)) {
      t->status = TASK_CANCELED;
      t->runtime->cut_cleanup = true;
      return 0;
    }
    lua_pushvalue(t->L, -1);
    lua_xmove(t->L, L, 1);
    keep_error(L, t);
    t->status = TASK_FAILED;
    t->raised = true;
  } else if (end->status == 0) {
    keep_results(L, t);
  } else {
    lua_pushvalue(t->L, -1);
    lua_xmove(t->L, L, 1);
    t->status = t->stop && is_cancellation(L, -1) ? TASK_CANCELED : TASK_FAILED;
    t->raised = true;
    keep_error(L, t);
  }
  return 0;
}

/* The error of a task that was cancelled before it ran. */
static int keep_cancellation(lua_State *L)
{
  lur_task *t = lua_touserdata(L, 1);
  task_push_cancellation(L, t);
  keep_error(L, t);
  return 0;
}

static int start_cleanup(lua_State *L)
{
  lur_task *t = lua_touserdata(L, 1);
  lua_State *co = lua_newthread(L);
  task_anchor_thread(L, t, lua_gettop(L));
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->runtime->cleanup_ref);
  task_push(L, t);
  task_push_locals(L, -1, t);
  lua_replace(L, -2);
  lua_pushboolean(L, t->status == TASK_FAILED);
  lua_xmove(L, co, 3);
  t->L = co;
  t->arguments = 2;
  return 0;
}

/* A task that has ended leaves 2 KB of garbage. Lua sees the heap double before it looks for it; after a wave
 * of thousands of tasks that would be as much again for the next wave. */
enum { COLLECT_AFTER = 2048 };

static int collect_now(lua_State *L)
{
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

/* A small heap may grow to four times what lives in it before it is collected, a larger one to twice: with 64
 * requests in flight that takes 6 % off the time of each. */
enum { SMALL_HEAP_KIB = 8 * 1024, SMALL_HEAP_PAUSE = 400, PAUSE = 200, LOOK_EVERY = 64 };

static void pace_collector(lur_runtime *rt)
{
  if (rt->resumed++ % LOOK_EVERY) return;
  int pause = lua_gc(rt->L, LUA_GCCOUNT, 0) < SMALL_HEAP_KIB ? SMALL_HEAP_PAUSE : PAUSE;
  if (pause != rt->pause) lua_gc(rt->L, LUA_GCSETPAUSE, pause); /* else what the script has set stays */
  rt->pause = pause;
}

static void collect_wave(lur_runtime *rt)
{
  if (++rt->ended < COLLECT_AFTER || 2 * rt->ended < rt->tasks) return;
  rt->ended = 0;
  if (lua_cpcall(rt->L, collect_now, NULL) != 0)
    lua_pop(rt->L, 1); /* a finalizer's error has no one to go to */
}

static void ended(lur_task *t)
{
  lur_runtime *rt = t->runtime;
  scope *s = t->scope, *script = t->script;
  t->joined = !list_is_empty(&t->joiners);
  for (list_link *first; (first = list_take_first(&t->joiners));)
    task_wake(container_of(first, lur_task, joiner));
  t->L = t->waits_in = NULL;
  operation_reset(&t->op);
  free(t->why);
  t->why = NULL;
  rt->tasks--;
  scope_child_ended(s, t);
  task_unanchor(t);
  scope_unref(s);
  if (script) scope_unref(script);
  collect_wave(rt);
  rt->on_task_ended(rt);
}

static void resume(lur_task *t);

/* False: there is no memory for its clean-up, and the task fails for that unless something else ended it. */
static bool prepare_cleanup(lur_task *t)
{
  bool prepared = lua_cpcall(t->runtime->L, start_cleanup, t) == 0;
  if (!prepared) lua_pop(t->runtime->L, 1);
  if (prepared && task_begin_cleanup(t)) return true;
  if (t->status == TASK_DONE) fail_for_memory(t);
  return false;
}

static int call_unwound(lua_State *L)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, runtime_of(L)->unwound_ref);
  lua_call(L, 0, 0);
  return 0;
}

static void stopped(lur_task *t, int status)
{
  lur_runtime *rt = t->runtime;
  ending end = {t, status};
  if (status != 0 && lua_cpcall(rt->L, call_unwound, NULL) != 0) lua_pop(rt->L, 1);
  if (status == 0 && !t->in_cleanup && lua_gettop(t->L) == 0)
    t->status = TASK_DONE;
  else if (lua_cpcall(rt->L, keep_outcome, &end) != 0) {
    lua_pop(rt->L, 1);
    fail_for_memory(t);
  }
  if (t->in_cleanup) {
    task_drop_cleanup(t); /* it failed within */
    ended(t);
    return;
  }
  if (t->stop == STOP_EXIT) t->stop = STOP_CANCEL; /* its clean-up may wait */
  if (t->has_cleanup && prepare_cleanup(t)) {
    t->in_cleanup = true;
    resume(t);
    return;
  }
  ended(t);
}

/* What the last wait yielded lies below the arguments still (it keeps t->waits_for alive). lua_resume passes
 * on the arguments alone only on x64; elsewhere, arm64 for one, LuaJIT takes what is below for arguments too.
 * Dropping it costs a twentieth of a task switch. */
#ifdef __x86_64__
enum { PASSES_ON_YIELDED = false };
#else
enum { PASSES_ON_YIELDED = true };
#endif

static void drop_yielded(lua_State *L, int arguments)
{
  if (!PASSES_ON_YIELDED || lua_status(L) != LUA_YIELD) return;
  if (arguments == 0) lua_settop(L, 0);
  for (int i = lua_gettop(L) - arguments; i > 0; i--) lua_remove(L, 1);
}

static void resume(lur_task *t)
{
  lur_runtime *rt = t->runtime;
  int arguments = t->arguments;
  drop_yielded(t->L, arguments);
  t->arguments = 0;
  rt->current = t;
  rt->immediate = 0;
  busy_begin(rt);
  limits_begin(rt);
  int status = lua_resume(t->L, arguments);
  limits_end(rt);
  rt->stopped_at = busy_clock();
  rt->current = NULL;
  if (rt->stopped_at > rt->resumed_at + BUSY_LIMIT) busy_warn(t);
  if (status != LUA_YIELD)
    stopped(t, status);
  else if (!t->waiting) /* a C library yielded on its own: let the others run, and go on */
    task_queue(t, &starting);
}

void task_on_ready(operation *op, void *user)
{
  (void)user;
  lur_task *t = op->owner;
  if (!t) return; /* no task waits for it yet */
  if (!t->started && task_must_stop(t)) {
    t->status = TASK_CANCELED;
    if (lua_cpcall(t->runtime->L, keep_cancellation, t) != 0) lua_pop(t->runtime->L, 1);
    ended(t);
    return;
  }
  t->started = true;
  pace_collector(t->runtime);
  resume(t);
}
