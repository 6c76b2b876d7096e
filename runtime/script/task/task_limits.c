#include "script/task/task_limits.h"

#include "core/buffer.h"
#include "script/task/task_busy.h"
#include "script/task/task_cancel.h"
#include "script/task/task_depth.h"
#include "script/task/task_internal.h"
#include "script/task/task_report.h"
#include "script/task/task_scope.h"

#include <lauxlib.h>
#include <luajit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How many instructions pass between two looks: some microseconds. */
enum { LOOK_AFTER = 1000 };

/* What takes as long as many instructions where strings are so long: to compare two of them, say. So the hook
 * comes the more often the more such blocks there are. */
enum { LONG_STRING = 256 * 1024 };

/* By how much small blocks may pass the memory limit, until the hook comes; larger ones may not at all. */
enum { MEMORY_RESERVE = 1536 * 1024, LARGE_BLOCK = 1024 * 1024 };

static const char *const limit_names[] = {"", "memory", "burst", "cpu", "tasks", "depth", "time"};

static const uint64_t CLEANUP_LIMIT = 4500 * MILLISECOND;

/* What this thread has had of a processor, in nanoseconds. */
static uint64_t processor_time(void)
{
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000 * MILLISECOND + (uint64_t)now.tv_nsec;
}

static bool is_duration(double seconds) { return seconds >= 0; } /* nan is none */

bool limits_are_valid(const lur_options *o)
{
  return is_duration(o->burst_seconds) && is_duration(o->cpu_seconds);
}

static uint64_t duration(double seconds)
{
  if (seconds <= 0 || isinf(seconds)) return 0;
  uint64_t nanoseconds = loop_nanoseconds(seconds);
  return nanoseconds ? nanoseconds : 1;
}

void limits_init(lur_runtime *rt)
{
  rt->limits.burst = duration(rt->options.burst_seconds);
  rt->limits.cpu = duration(rt->options.cpu_seconds);
}

/* ---- the hook ---- */

static void on_hook(lua_State *L, lua_Debug *ar);

static int look_after(const limits *l)
{
  if (l->long_blocks <= LONG_STRING) return LOOK_AFTER;
  size_t after = (size_t)LOOK_AFTER * LONG_STRING / l->long_blocks;
  return after ? (int)after : 1;
}

static void set_hook(lur_runtime *rt, bool every)
{
  if (rt->limits.every == every) return;
  rt->limits.every = every;
  lua_sethook(rt->L, on_hook, LUA_MASKCOUNT, every ? 1 : look_after(&rt->limits));
}

static bool is_own_code(lua_State *L, lua_Debug *ar)
{
  return lua_getinfo(L, "S", ar) && strncmp(ar->source, "@lurcher/", 9) == 0;
}

static bool is_over_memory(const lur_runtime *rt)
{
  const memory_account *a = &rt->loop.memory;
  return a->used > a->limit / 100 * 97;
}

static void collect(lua_State *L, lur_runtime *rt)
{
  limits *l = &rt->limits;
  l->pressed = false;
  lua_gc(L, LUA_GCCOLLECT, 0);
  l->collected = rt->loop.memory.used;
  l->over = is_over_memory(rt);
}

/* For how long this step has run, looked at when the coarse clock has moved; 0: it has not. */
static uint64_t step_time(limits *l)
{
  uint64_t now = busy_clock();
  if (now == l->looked) return 0;
  l->looked = now;
  uint64_t used = processor_time();
  if (!l->begin) l->begin = used;
  return used - l->begin;
}

/* The stack is gone through only now and then: that takes long where it is deep. */
enum { LOOKS_PER_DEPTH = 8 };

static bool is_too_deep(lur_runtime *rt, lua_State *L)
{
  unsigned most = rt->options.max_depth;
  return most && ++rt->limits.looks % LOOKS_PER_DEPTH == 0 && depth_is_over(L, most);
}

/* What a running task must end for now. */
static limit_kind find_reached(lur_runtime *rt, lua_State *L)
{
  limits *l = &rt->limits;
  if (l->over) l->over = is_over_memory(rt);
  if (l->over || rt->loop.memory.refused) return LIMIT_MEMORY;
  if (is_too_deep(rt, L)) return LIMIT_DEPTH;
  uint64_t ran = l->burst || l->cpu ? step_time(l) : 0;
  if (l->cpu && l->cpu_used + ran > l->cpu) return LIMIT_CPU;
  return l->burst && ran > l->burst ? LIMIT_BURST : LIMIT_NONE;
}

/* A task that was cancelled and computes on, without a wait that would raise. */
static const uint64_t CANCELED_LIMIT = 20 * MILLISECOND;

static bool ignores_cancellation(lur_runtime *rt)
{
  const lur_task *t = rt->current;
  if (!task_must_stop(t) || (t->cleanup && t->stop != STOP_FORCE)) return false;
  return busy_clock() > rt->resumed_at + CANCELED_LIMIT;
}

static bool cleanup_is_over(lur_runtime *rt)
{
  limits *l = &rt->limits;
  return (l->burst && step_time(l) > l->burst) || (l->cleanup_ends && busy_clock() > l->cleanup_ends);
}

/* Code of a script that runs outside of a task. */
static bool is_stuck_outside(lur_runtime *rt)
{
  limits *l = &rt->limits;
  uint64_t most = l->burst ? l->burst : 100 * MILLISECOND;
  if (!l->outside) l->outside = step_time(l) > most || rt->loop.memory.refused;
  return l->outside;
}

/* Whether the running task has to end now; `kind` tells for which limit, if it is a new one. */
static bool must_end(lur_runtime *rt, lua_State *L, limit_kind *kind)
{
  if (!rt->current) return is_stuck_outside(rt);
  switch (rt->current->ending) {
  case ENDING_NONE:
    *kind = find_reached(rt, L);
    return *kind || atomic_load_explicit(&rt->interrupted, memory_order_relaxed) || ignores_cancellation(rt);
  case ENDING_CLEANUP:
    return cleanup_is_over(rt);
  default:
    return true;
  }
}

static bool concerns_all(limit_kind kind)
{
  return kind == LIMIT_MEMORY || kind == LIMIT_CPU || kind == LIMIT_TASKS;
}

static void end_task(lur_runtime *rt, lua_State *L, limit_kind kind)
{
  lur_task *t = rt->current;
  if (kind) limits_reach(rt, concerns_all(kind) ? NULL : t->script, kind, L);
  if (atomic_exchange(&rt->interrupted, false)) rt->on_interrupted(rt);
  if (t->stop == STOP_NONE) task_cancel(t, limit_names[kind]);
  if (t->ending == ENDING_CLEANUP || t->cleanup) {
    t->ending = ENDING_ALL;
    task_force(t);
  } else if (t->ending == ENDING_NONE) {
    t->ending = ENDING_CODE;
  }
}

/* What has to end raises. */
static int end_now(lua_State *L, lur_runtime *rt, limit_kind kind)
{
  if (!rt->current) return luaL_error(L, "it took too long");
  if (rt->current->ending != ENDING_CODE && rt->current->ending != ENDING_ALL) end_task(rt, L, kind);
  return task_raise_canceled(L, rt->current);
}

static void on_hook(lua_State *L, lua_Debug *ar)
{
  lur_runtime *rt = runtime_of(L);
  limits *l = &rt->limits;
  limit_kind kind = LIMIT_NONE;
  if (l->pressed) collect(L, rt);
  bool end = must_end(rt, L, &kind);
  set_hook(rt, end || l->pressed);
  if (!end) return;
  if (!is_own_code(L, ar)) end_now(L, rt, kind);
  l->looked = 0; /* it is looked at again at the next instruction */
}

/* A C function called by the runtime's own code goes on, but not for ever. */
static void end_long_call(lua_State *L, lur_runtime *rt)
{
  limits *l = &rt->limits;
  uint64_t ran = step_time(l), most = l->burst ? 2 * l->burst : 1000 * MILLISECOND;
  set_hook(rt, true);
  if (ran > most) luaL_error(L, "this pattern takes too long");
}

/* Without limits the hook is the host's. */
static void call_hook(lua_State *L)
{
  lua_Hook hook = lua_gethook(L);
  lua_Debug caller = {.event = LUA_HOOKCOUNT};
  if (hook && lua_gethookmask(L) & LUA_MASKCOUNT && lua_getstack(L, 1, &caller)) hook(L, &caller);
}

void limits_charge(lua_State *L, size_t steps)
{
  lur_runtime *rt = runtime_of(L);
  limits *l = &rt->limits;
  lua_Debug caller;
  limit_kind kind = LIMIT_NONE;
  l->charged += steps;
  if (l->charged < LOOK_AFTER) return;
  l->charged = 0;
  if (!l->hooked) {
    call_hook(L);
    return;
  }
  if (!must_end(rt, L, &kind)) return;
  l->looked = 0;
  if (lua_getstack(L, 1, &caller) && is_own_code(L, &caller))
    end_long_call(L, rt);
  else
    end_now(L, rt, kind);
}

/* ---- memory ---- */

static void note_refusal(lur_runtime *rt);

static void press(lur_runtime *rt)
{
  rt->limits.pressed = true;
  if (rt->L) set_hook(rt, true);
}

/* Garbage is collected early where there is much of it, since before a large block there is no time to. */
static bool looks_like_garbage(const lur_runtime *rt)
{
  size_t used = rt->loop.memory.used, limit = rt->loop.memory.limit;
  return used > limit / 2 && used > rt->limits.collected + limit / 4;
}

static bool allow_more(lur_runtime *rt, size_t more)
{
  memory_account *a = &rt->loop.memory;
  size_t left = a->used < a->limit ? a->limit - a->used : 0;
  if (more <= left && !looks_like_garbage(rt)) return true;
  if (!rt->limits.pressed) press(rt);
  if (more <= left) return true;
  size_t most = a->limit < SIZE_MAX - MEMORY_RESERVE ? a->limit + MEMORY_RESERVE : SIZE_MAX;
  if (more < LARGE_BLOCK && a->used < most && more <= most - a->used) return true;
  a->refused = true;
  note_refusal(rt);
  return false;
}

/* What fills a long block takes as long as many instructions: the next one is looked at. */
void limits_note_long(lur_runtime *rt, size_t old_size, size_t size)
{
  limits *l = &rt->limits;
  if (old_size >= LONG_BLOCK) l->long_blocks -= old_size;
  if (size >= LONG_BLOCK) l->long_blocks += size;
}

void limits_called(lur_runtime *rt)
{
  if (rt->limits.hooked && busy_clock() != rt->limits.looked) set_hook(rt, true);
}

bool limits_allow(lur_runtime *rt, size_t old_size, size_t size)
{
  if (size <= old_size) return true;
  if (size >= LONG_BLOCK && rt->limits.hooked && rt->L) set_hook(rt, true);
  return !rt->loop.memory.limit || allow_more(rt, size - old_size);
}

/* ---- reaching a limit ---- */

static void describe(const lur_runtime *rt, const struct scope *s, limit_kind kind, char *text, size_t size)
{
  const lur_options *o = &rt->options;
  switch (kind) {
  case LIMIT_MEMORY:
    snprintf(text, size, "the limit 'memory' of %zu bytes was reached", o->memory_limit);
    break;
  case LIMIT_BURST:
    snprintf(text, size, "the limit 'burst' was reached: it computed for %g s without a wait",
             o->burst_seconds);
    break;
  case LIMIT_CPU:
    snprintf(text, size, "the limit 'cpu' was reached: %g s of processor time are used up", o->cpu_seconds);
    break;
  case LIMIT_TASKS:
    snprintf(text, size, "the limit 'tasks' was reached: there may be %u at once", o->max_tasks);
    break;
  case LIMIT_DEPTH:
    snprintf(text, size, "the limit 'depth' was reached: calls were nested in C functions %u deep",
             o->max_depth);
    break;
  default:
    snprintf(text, size, "the limit 'time' was reached: the script took longer than %g s", s->max_seconds);
  }
}

static bool add_text(buffer *b, const char *text) { return buffer_append(b, text, strlen(text)); }

/* Of code whose lines are not known any more. */
static bool add_script(const lur_runtime *rt, buffer *b)
{
  const lur_task *t = rt->current;
  return !t || !*t->source || (add_text(b, ", in ") && add_text(b, t->source));
}

enum { MAX_LINES = 16 };

/* The lines of the script's code on the stack, the innermost first, without any memory of Lua's. */
static bool add_lines(const lur_runtime *rt, lua_State *L, buffer *b)
{
  lua_Debug at;
  char line[128];
  int shown = 0;
  for (int level = 0; shown < MAX_LINES && lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0 || strncmp(at.source, "@lurcher/", 9) == 0) continue;
    snprintf(line, sizeof line, "%s%s:%d", shown++ ? "\n\t" : ", at ", at.short_src, at.currentline);
    if (!add_text(b, line)) return false;
  }
  return shown > 0 || add_script(rt, b);
}

/* Where the script was spawned or waits, when none of its code runs. */
static bool add_place(const scope *s, buffer *b)
{
  char at[128], line[160];
  if (!s->main || !s->main->waits_in || !s->main->waiting) return true;
  report_position(s->main->waits_in, at, sizeof at);
  snprintf(line, sizeof line, ", at %s", at);
  return !*at || add_text(b, line);
}

/* Memory is refused to code that runs: notes where, for LuaJIT does not know it any more once it has raised.
 * Nothing here needs memory of Lua's. */
static void note_refusal(lur_runtime *rt)
{
  limits *l = &rt->limits;
  const lur_task *t = rt->current;
  if (!t || !t->script || l->refused_to) return;
  buffer b = {0};
  bool fine = add_lines(rt, t->L, &b) && buffer_append(&b, "", 1);
  if (!fine) buffer_free(&b);
  l->refused_to = t->script;
  l->refused_at = b.bytes;
}

static void forget_refusal(limits *l)
{
  free(l->refused_at);
  l->refused_at = NULL;
  l->refused_to = NULL;
}

static bool add_where(const scope *s, limit_kind kind, lua_State *L, buffer *b)
{
  const limits *l = &s->runtime->limits;
  if (kind == LIMIT_MEMORY && l->refused_to == s && l->refused_at) return add_text(b, l->refused_at);
  return L ? add_lines(s->runtime, L, b) : add_place(s, b);
}

static char *write_report(const scope *s, limit_kind kind, const char *what, lua_State *L)
{
  buffer b = {0};
  bool fine = add_text(&b, what) && add_where(s, kind, L, &b) && buffer_append(&b, "", 1);
  if (!fine) buffer_free(&b);
  return b.bytes;
}

/* Forces what is left of scripts that have reached a limit, or were interrupted. */
static void on_force_due(timer *due)
{
  lur_runtime *rt = container_of(due, lur_runtime, limits.force);
  for (uint32_t i = 0; i < rt->slot_count; i++) {
    lur_task *t = rt->slots[i];
    if (!t || t->ending == ENDING_NONE) continue;
    t->ending = ENDING_ALL;
    task_force(t);
  }
}

static void set_force(lur_runtime *rt)
{
  limits *l = &rt->limits;
  if (timer_active(&l->force)) return;
  l->cleanup_ends = busy_clock() + CLEANUP_LIMIT;
  uint64_t due = loop_update_now(&rt->loop) + CLEANUP_LIMIT;
  clock_start(&rt->loop.real, &l->force, due, on_force_due);
}

static void end_tasks_of(lur_runtime *rt, const scope *script)
{
  for (uint32_t i = 0; i < rt->slot_count; i++) {
    lur_task *t = rt->slots[i];
    if (!t || t->script != script || t->ending != ENDING_NONE) continue;
    t->ending = t->in_cleanup || t->cleanup ? ENDING_CLEANUP : ENDING_CODE;
  }
}

static void reach(lur_runtime *rt, scope *s, limit_kind kind, lua_State *L)
{
  char what[160];
  if (s->limit) return;
  describe(rt, s, kind, what, sizeof what);
  s->limit = limit_names[kind];
  free(s->failure);
  s->failure = write_report(s, kind, what, L);
  scope_cancel(s, what);
  end_tasks_of(rt, s);
}

void limits_reach(lur_runtime *rt, scope *script, limit_kind kind, lua_State *L)
{
  limits *l = &rt->limits;
  if (kind == LIMIT_CPU) l->cpu_spent = true;
  if (kind == LIMIT_MEMORY) l->over = rt->loop.memory.refused = false;
  set_force(rt);
  const lur_task *t = rt->current;
  if (script) reach(rt, script, kind, L);
  list_each (link, &rt->scripts) {
    scope *s = container_of(link, scope, script);
    if (!script) reach(rt, s, kind, t && t->script == s ? L : NULL);
  }
  if (kind == LIMIT_MEMORY) forget_refusal(l);
}

int limits_refuse_task(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  lur_task *t = rt->current;
  limits_reach(rt, NULL, LIMIT_TASKS, L);
  if (t && t->ending == ENDING_CODE) return task_raise_canceled(L, t);
  return luaL_error(L, "there may be %d tasks at once", (int)rt->options.max_tasks);
}

void limits_script_started(lur_runtime *rt, scope *s)
{
  if (rt->limits.cpu_spent) limits_reach(rt, s, LIMIT_CPU, NULL);
}

void limits_interrupted(lur_runtime *rt)
{
  if (!rt->limits.hooked) return;
  set_force(rt);
}

/* ---- steps ---- */

/* To ask for the processor's time takes longer than much of what steps do: one that follows another, before
 * the loop has looked at its clock again, begins where that has ended. */
static uint64_t step_begin(const lur_runtime *rt)
{
  const limits *l = &rt->limits;
  return l->ended_at == loop_now(&rt->loop) ? l->ended : processor_time();
}

static void step_ended(lur_runtime *rt)
{
  limits *l = &rt->limits;
  l->ended = processor_time();
  l->ended_at = loop_now(&rt->loop);
  l->cpu_used += l->ended - l->begin;
}

void limits_begin(lur_runtime *rt)
{
  limits *l = &rt->limits;
  if (!l->hooked) return;
  l->begin = l->cpu ? step_begin(rt) : 0;
  l->looked = 0;
  l->outside = false;
  const lur_task *t = rt->current;
  if (rt->loop.memory.refused) limits_reach(rt, NULL, LIMIT_MEMORY, NULL);
  if (t && t->ending != ENDING_NONE) set_hook(rt, true);
}

void limits_end(lur_runtime *rt)
{
  limits *l = &rt->limits;
  if (!l->hooked) return;
  if (l->cpu && rt->current) step_ended(rt);
  if (rt->loop.memory.refused && rt->current) limits_reach(rt, NULL, LIMIT_MEMORY, rt->current->L);
}

void limits_cleanup_begins(lur_task *t)
{
  if (t->ending != ENDING_CODE) return;
  t->ending = ENDING_CLEANUP;
  limits *l = &t->runtime->limits;
  l->begin = l->looked = 0;
}

void limits_cleanup_ends(lur_task *t)
{
  if (t->ending == ENDING_CLEANUP) t->ending = ENDING_CODE;
}

/* ---- open ---- */

static int guarded(lua_State *L)
{
  const lur_task *t = runtime_of(L)->current;
  if (!t || t->ending == ENDING_CODE || t->ending == ENDING_ALL) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int limits_guard(lua_State *L)
{
  lua_settop(L, 1);
  if (runtime_of(L)->limits.hooked) lua_pushcclosure(L, guarded, 1);
  return 1;
}

static int do_nothing(lua_State *L)
{
  (void)L;
  return 0;
}

static void replace(lua_State *L, const char *library, const char *name)
{
  lua_getglobal(L, library);
  if (lua_istable(L, -1)) {
    lua_pushcfunction(L, do_nothing);
    lua_setfield(L, -2, name);
  }
  lua_pop(L, 1);
}

void limits_open(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  limits *l = &rt->limits;
  l->hooked = rt->options.memory_limit || l->burst || l->cpu || rt->options.max_depth ||
              rt->options.libraries == LUR_SANDBOX;
  if (!l->hooked) return;
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  /* The JIT would skip the hook, and so would finalizers. */
  replace(L, "jit", "on");
  replace(L, "debug", "sethook");
  lua_pushnil(L);
  lua_setglobal(L, "newproxy");
}

void limits_deinit(lur_runtime *rt) { forget_refusal(&rt->limits); }

bool limits_start(lur_runtime *rt)
{
  limits *l = &rt->limits;
  memory_account *a = &rt->loop.memory;
  if (!l->hooked) return true;
  l->every = true; /* so that it is set */
  set_hook(rt, false);
  a->limit = rt->options.memory_limit;
  return !a->limit || a->used <= a->limit;
}
