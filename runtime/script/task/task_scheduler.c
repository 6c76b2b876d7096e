#include "script/task/task_internal.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* So many waits in a row may end at once before a task gives way to the others. */
static const uint32_t MAX_IMMEDIATE = 64;

static const operation_class starting = {"its start", NULL};
const operation_class task_scope_wait = {"the tasks of a scope", NULL};

/* Yielded by every wait; coroutine.resume passes it on to the scheduler (lua/lurcher/task/prelude.lua). */
static const char wait_tag;

void task_push_wait_tag(lua_State *L) { lua_pushlightuserdata(L, (void *)&wait_tag); }

loop *task_loop(lua_State *L) { return &runtime_of(L)->loop; }

loop_clock *task_clock(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  return rt->current ? clock_of(rt->current) : &rt->loop.real;
}

lur_task *task_current(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  if (!t) luaL_error(L, "only a task can do this, and no task is running");
  return t;
}

/* ---- anchors: what keeps live tasks from being collected ---- */

static uint32_t take_slot(lua_State *L, lur_runtime *rt, lur_task *t)
{
  if (rt->free_count) {
    uint32_t slot = rt->free_slots[--rt->free_count];
    rt->slots[slot] = t;
    return slot;
  }
  if (rt->slot_count == rt->slot_capacity) {
    uint32_t capacity = rt->slot_capacity ? rt->slot_capacity * 2 : 64;
    lur_task **slots = realloc(rt->slots, capacity * sizeof *slots);
    if (slots) rt->slots = slots;
    uint32_t *free_slots = realloc(rt->free_slots, capacity * sizeof *free_slots);
    if (free_slots) rt->free_slots = free_slots;
    if (!slots || !free_slots) luaL_error(L, "not enough memory");
    rt->slot_capacity = capacity;
  }
  rt->slots[rt->slot_count] = t;
  return rt->slot_count++;
}

static void give_slot(lur_runtime *rt, uint32_t slot)
{
  rt->slots[slot] = NULL;
  rt->free_slots[rt->free_count++] = slot;
}

void task_push(lua_State *L, lur_task *t)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->runtime->anchors_ref);
  lua_rawgeti(L, -1, (int)t->anchor * 2 + 1);
  lua_remove(L, -2);
}

void task_push_locals(lua_State *L, int index, lur_task *t)
{
  if (t->has_locals) {
    lua_getfenv(L, index);
    return;
  }
  if (index < 0) index += lua_gettop(L) + 1;
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfenv(L, index);
  t->has_locals = true;
}

/* ---- start ---- */

/* Where the task was spawned: the first user code on the stack. */
static void note_spawn_site(lua_State *L, lur_task *t)
{
  lua_Debug at;
  for (int level = 1; lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0 || strncmp(at.source, "@lurcher/", 9) == 0) continue;
    size_t length = strlen(at.short_src), room = sizeof t->source - 1;
    const char *tail = length > room ? at.short_src + length - room : at.short_src;
    memcpy(t->source, tail, strlen(tail) + 1);
    t->line = at.currentline;
    return;
  }
}

void task_queue(lur_task *t, const operation_class *class)
{
  operation_begin(&t->op, class, &t->runtime->loop, false);
  t->op.owner = t;
  operation_complete(&t->op);
}

lur_task *task_spawn(lua_State *L, scope *s, int arguments, unsigned flags)
{
  lur_runtime *rt = s->runtime;
  luaL_checkstack(L, 6, "task");
  lur_task *t = lua_newuserdata(L, sizeof *t);
  memset(t, 0, sizeof *t);
  list_init(&t->joiners);
  t->runtime = rt;
  t->id = ++rt->last_id;
  t->isolated = flags & TASK_ISOLATED;
  t->body = flags & TASK_BODY;
  const lur_task *parent = rt->current;
  t->is_server = (flags & TASK_SERVER) || (parent && parent->is_server);
  t->virtual = !t->is_server && ((flags & TASK_VIRTUAL) || (parent && parent->virtual));
  luaL_getmetatable(L, "lurcher.task");
  lua_setmetatable(L, -2);
  lua_insert(L, -arguments - 2);
  lua_State *co = lua_newthread(L);
  if (!lua_checkstack(co, arguments + 4)) luaL_error(L, "too many arguments for a task");
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->anchors_ref);
  uint32_t slot = rt->free_count ? rt->free_slots[rt->free_count - 1] : rt->slot_count;
  lua_pushvalue(L, -arguments - 4); /* handle fn args… thread anchors */
  lua_rawseti(L, -2, (int)slot * 2 + 1);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (int)slot * 2 + 2);
  lua_pop(L, 2);
  note_spawn_site(L, t);
  t->anchor = take_slot(L, rt, t);
  /* Nothing can fail from here on. */
  lua_xmove(L, co, arguments + 1);
  t->L = co;
  t->arguments = arguments;
  rt->tasks++;
  scope_add(s, t);
  task_queue(t, &starting);
  if (s->cancelled) task_cancel(t, NULL);
  return t;
}

/* ---- waiting ---- */

static int raise_refused(lua_State *L, const char *what)
{
  char at[128];
  report_position(L, at, sizeof at);
  lua_pushfstring(
      L,
      "%s%scannot wait for %s here: LuaJIT cannot suspend a table.sort comparator, a string.gsub "
      "callback, an xpcall handler, a finalizer or a function called by a C library; do the waiting "
      "before or after it, or use a loop (string.gmatch) instead",
      at, *at ? ": " : "", what);
  return lua_error(L);
}

static int suspend(lua_State *L, lur_task *t, operation *op, task_results results)
{
  op->owner = t;
  t->waiting = op;
  t->results = results;
  t->waits_in = L;
  task_push_wait_tag(L);
  if (!t->waits_for) return lua_yield(L, 1);
  lua_pushvalue(L, 1); /* the text is the first argument; yielding it keeps it alive */
  return lua_yield(L, 2);
}

int task_wait(lua_State *L, operation *op, task_results results)
{
  lur_runtime *rt = runtime_of(L);
  lur_task *t = rt->current;
  if (!t || !lua_isyieldable(L)) {
    const char *name = op->class->name;
    operation_abandon(op);
    if (!t) return luaL_error(L, "cannot wait for %s: no task is running", name);
    return raise_refused(L, name);
  }
  if (task_must_stop(t)) {
    operation_abandon(op);
    return task_raise_canceled(L, t);
  }
  if (op->state == OPERATION_READY) {
    if (rt->immediate++ < MAX_IMMEDIATE) return results(L, op);
    if (!list_has(&op->link)) { /* it has been on the ready queue when nobody waited for it */
      op->state = OPERATION_PENDING;
      operation_complete(op);
    }
  }
  t->soft = false;
  t->waits_for = NULL;
  return suspend(L, t, op, results);
}

lur_task *task_about_to_park(lua_State *L, const char *name)
{
  lur_task *t = task_current(L);
  if (!lua_isyieldable(L)) raise_refused(L, name);
  t->soft = false;
  t->waits_for = NULL;
  return t;
}

int task_park(lua_State *L, lur_task *t, const operation_class *class, task_results results, bool holds)
{
  operation_begin(&t->op, class, &t->runtime->loop, holds);
  return suspend(L, t, &t->op, results);
}

int task_give_way(lua_State *L, lur_task *t, const operation_class *class, task_results results)
{
  operation_begin(&t->op, class, &t->runtime->loop, false);
  operation_complete(&t->op);
  return suspend(L, t, &t->op, results);
}

/* The second half of every blocking function: gets what the first half returned, or, after a wait, what the
 * scheduler resumed the task with. */
static int finish(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  if (!t) return lua_gettop(L);
  if (t->interrupted) {
    t->interrupted = false;
    operation_reset(&t->op);
    if (t->refused) {
      t->refused = false;
      return raise_refused(L, t->waits_for ? t->waits_for : "this");
    }
    if (!t->soft) return task_raise_canceled(L, t);
    lua_pushboolean(L, false);
    return 1;
  }
  operation *op = t->waiting;
  if (!op) return lua_gettop(L);
  t->waiting = NULL;
  return t->results(L, op);
}

static const char blocking_source[] = "local finish = ...\n"
                                      "return function(start)\n"
                                      "  return function(...) return finish(start(...)) end\n"
                                      "end\n";

void task_set_blocking(lua_State *L, int table, const char *name, lua_CFunction start)
{
  if (table < 0) table += lua_gettop(L) + 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, runtime_of(L)->make_blocking_ref);
  lua_pushcfunction(L, start);
  lua_call(L, 1, 1);
  lua_setfield(L, table, name);
}

void task_open(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  lua_newtable(L);
  rt->anchors_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  if (luaL_loadbuffer(L, blocking_source, sizeof blocking_source - 1, "@lurcher/blocking.lua") != 0)
    lua_error(L);
  lua_pushcfunction(L, finish);
  lua_call(L, 1, 1);
  rt->make_blocking_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  rt->cleanup_ref = LUA_NOREF;
}

/* ---- running and ending ---- */

typedef struct {
  lur_task *task;
  int status; /* of lua_resume */
} ending;

static bool is_error_object(lua_State *L, int index)
{
  if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
  lua_pushliteral(L, "__name");
  lua_rawget(L, -2);
  const char *name = lua_tostring(L, -1);
  bool is = name && strcmp(name, "lurcher.Error") == 0;
  lua_pop(L, 2);
  return is;
}

static bool is_cancellation(lua_State *L, int index)
{
  if (!is_error_object(L, index)) return false;
  if (index < 0) index += lua_gettop(L) + 1;
  lua_pushliteral(L, "kind");
  lua_rawget(L, index);
  const char *kind = lua_tostring(L, -1);
  bool is = kind && strcmp(kind, "canceled") == 0;
  lua_pop(L, 1);
  return is;
}

/* Keeps the error on top of L's stack (popped), and the coroutine for its traceback, in the task's locals. */
static void keep_error(lua_State *L, lur_task *t)
{
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
    lua_pushvalue(t->L, -1);
    lua_xmove(t->L, L, 1);
    keep_error(L, t);
    t->status = TASK_FAILED;
  } else if (end->status == 0) {
    keep_results(L, t);
  } else {
    lua_pushvalue(t->L, -1);
    lua_xmove(t->L, L, 1);
    t->status = t->cancelled && is_cancellation(L, -1) ? TASK_CANCELED : TASK_FAILED;
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
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->runtime->anchors_ref);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (int)t->anchor * 2 + 2);
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

static void unanchor(lur_task *t)
{
  lua_State *L = t->runtime->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->runtime->anchors_ref);
  for (int i = 1; i <= 2; i++) {
    lua_pushnil(L);
    lua_rawseti(L, -2, (int)t->anchor * 2 + i);
  }
  lua_pop(L, 1);
  give_slot(t->runtime, t->anchor);
}

/* A task that has ended leaves 2 KB of garbage. Lua sees the heap double before it looks for it; after a wave
 * of thousands of tasks that would be as much again for the next wave. */
enum { COLLECT_AFTER = 2048 };

static int collect(lua_State *L)
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
  if (lua_cpcall(rt->L, collect, NULL) != 0) lua_pop(rt->L, 1); /* a finalizer's error has no one to go to */
}

static void ended(lur_task *t)
{
  lur_runtime *rt = t->runtime;
  scope *s = t->scope;
  for (list_link *first; (first = list_take_first(&t->joiners));)
    task_wake(container_of(first, lur_task, joiner));
  t->L = t->waits_in = NULL;
  operation_reset(&t->op);
  free(t->why);
  t->why = NULL;
  rt->tasks--;
  scope_child_ended(s, t);
  unanchor(t);
  scope_unref(s);
  collect_wave(rt);
  runtime_task_ended(rt);
}

static void resume(lur_task *t);

static void stopped(lur_task *t, int status)
{
  lur_runtime *rt = t->runtime;
  ending end = {t, status};
  if (status == 0 && !t->in_cleanup && lua_gettop(t->L) == 0)
    t->status = TASK_DONE;
  else if (lua_cpcall(rt->L, keep_outcome, &end) != 0) {
    lua_pop(rt->L, 1);
    t->status = TASK_FAILED;
  }
  if (t->in_cleanup) {
    task_drop_cleanup(t); /* it failed within */
    ended(t);
    return;
  }
  t->exits = false;
  if (t->has_cleanup && lua_cpcall(rt->L, start_cleanup, t) == 0 && task_begin_cleanup(t)) {
    t->in_cleanup = true;
    resume(t);
    return;
  }
  ended(t);
}

static void resume(lur_task *t)
{
  lur_runtime *rt = t->runtime;
  int arguments = t->arguments;
  t->arguments = 0;
  rt->current = t;
  rt->immediate = 0;
  int status = lua_resume(t->L, arguments);
  rt->current = NULL;
  if (status != LUA_YIELD)
    stopped(t, status);
  else if (!t->waiting) /* a C library yielded on its own: let the others run, and go on */
    task_queue(t, &starting);
}

void task_on_ready(operation *op, void *user)
{
  (void)user;
  lur_task *t = op->owner;
  if (!t) return; /* nobody waits for it yet */
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

void task_count(lua_State *L, const char *name, int change)
{
  lur_runtime *rt = runtime_of(L);
  for (int i = 0; i < rt->counter_count; i++) {
    if (strcmp(rt->counters[i].name, name) != 0) continue;
    rt->counters[i].value += change;
    return;
  }
  if (rt->counter_count < MAX_COUNTERS)
    rt->counters[rt->counter_count++] = (counter){.name = name, .value = change};
}
