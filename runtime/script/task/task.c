#include "script/task/task.h"

#include "script/task/task_cancel.h"
#include "script/task/task_park.h"
#include "script/task/task_report.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>

/* So many waits in a row may end at once before a task gives way to the others. */
static const uint32_t MAX_IMMEDIATE = 64;

/* So many open things of one kind are never too many. */
static const int COLLECT_AT_LEAST = 128;

/* So many places are noted where something was opened. */
static const int MAX_OPENINGS = 1000;

static const char openings_key; /* in the registry: the list that they go to */

loop *task_loop(lua_State *L) { return &runtime_of(L)->loop; }

loop_clock *task_clock(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  return rt->current ? clock_of(rt->current) : &rt->loop.real;
}

int task_wait(lua_State *L, operation *op, task_results results)
{
  lur_runtime *rt = runtime_of(L);
  lur_task *t = rt->current;
  if (!t || !lua_isyieldable(L)) {
    const char *name = op->class->name;
    operation_abandon(op);
    if (!t) return luaL_error(L, "cannot wait for %s: no task is running", name);
    return task_raise_refused(L, name);
  }
  if (task_must_stop(t)) {
    operation_abandon(op);
    return task_raise_canceled(L, t);
  }
  if (op->state == OPERATION_READY) {
    if (rt->immediate++ < MAX_IMMEDIATE) return results(L, op);
    if (!list_has(&op->link)) { /* it completed before any task waited, and has left the ready queue */
      op->state = OPERATION_PENDING;
      operation_complete(op);
    }
  }
  t->soft = false;
  t->waits_for = NULL;
  return task_suspend(L, t, op, results);
}

static int finish_given_up(lua_State *L, lur_task *t)
{
  bool refused = t->given_up == WAIT_REFUSED;
  t->given_up = WAIT_GOES_ON;
  operation_reset(&t->op);
  if (refused) return task_raise_refused(L, t->waits_for ? t->waits_for : "this");
  if (!t->soft) return task_raise_canceled(L, t);
  lua_pushboolean(L, false);
  return 1;
}

/* The second half of every blocking function: gets what the first half returned, or, after a wait, what the
 * scheduler resumed the task with. */
static int finish(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  if (!t) return lua_gettop(L);
  if (t->given_up) return finish_given_up(L, t);
  operation *op = t->waiting;
  if (!op) return lua_gettop(L);
  t->waiting = NULL;
  return t->results(L, op);
}

void task_open_blocking(lua_State *L)
{
  static const char source[] = "local finish = ...\n"
                               "return function(start)\n"
                               "  return function(...) return finish(start(...)) end\n"
                               "end\n";
  if (luaL_loadbuffer(L, source, sizeof source - 1, "@lurcher/blocking.lua") != 0) lua_error(L);
  lua_pushcfunction(L, finish);
  lua_call(L, 1, 1);
  runtime_of(L)->make_blocking_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void task_make_blocking(lua_State *L)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, runtime_of(L)->make_blocking_ref);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

void task_set_blocking(lua_State *L, int table, const char *name, lua_CFunction start)
{
  if (table < 0) table += lua_gettop(L) + 1;
  lua_pushcfunction(L, start);
  task_make_blocking(L);
  lua_setfield(L, table, name);
}

static int collect_garbage(lua_State *L)
{
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

/* The next time is when twice as many are open as are really in use. */
static void collect_dropped(lua_State *L, counter *c)
{
  if (c->value < c->collect_at || c->value < COLLECT_AT_LEAST) return;
  c->collect_at = INT_MAX; /* finalizers count, too */
  if (lua_cpcall(L, collect_garbage, NULL) != 0) lua_pop(L, 1);
  c->collect_at = 2 * c->value;
}

void task_note_openings(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&openings_key);
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

static void note_opening(lua_State *L, const char *name)
{
  char place[300];
  luaL_checkstack(L, 3, NULL);
  lua_pushlightuserdata(L, (void *)&openings_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  int count = lua_istable(L, -1) ? (int)lua_objlen(L, -1) : MAX_OPENINGS;
  if (count < MAX_OPENINGS) {
    report_position(L, place, sizeof place);
    lua_pushfstring(L, "%s %s", name, place);
    lua_rawseti(L, -2, count + 1);
  }
  lua_pop(L, 1);
}

void task_count(lua_State *L, const char *name, int change)
{
  lur_runtime *rt = runtime_of(L);
  if (change > 0) note_opening(L, name);
  for (int i = 0; i < rt->counter_count; i++) {
    if (strcmp(rt->counters[i].name, name) != 0) continue;
    rt->counters[i].value += change;
    if (change > 0) collect_dropped(L, &rt->counters[i]);
    return;
  }
  if (rt->counter_count < MAX_COUNTERS)
    rt->counters[rt->counter_count++] = (counter){.name = name, .value = change};
}
