#include "script/task/task_park.h"

#include "script/task/task_report.h"
#include "script/task/task_scheduler.h"

#include <lauxlib.h>

/* Yielded by every wait; coroutine.resume passes it on to the scheduler (lua/lurcher/task/prelude.lua). */
static const char wait_tag;

void task_push_wait_tag(lua_State *L) { lua_pushlightuserdata(L, (void *)&wait_tag); }

int task_raise_refused(lua_State *L, const char *what)
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

int task_suspend(lua_State *L, lur_task *t, operation *op, task_results results)
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

lur_task *task_about_to_park(lua_State *L, const char *name)
{
  lur_task *t = task_current(L);
  if (!lua_isyieldable(L)) task_raise_refused(L, name);
  t->soft = false;
  t->waits_for = NULL;
  return t;
}

int task_park(lua_State *L, lur_task *t, const operation_class *class, task_results results, bool holds)
{
  operation_begin(&t->op, class, &t->runtime->loop, holds);
  return task_suspend(L, t, &t->op, results);
}

int task_give_way(lua_State *L, lur_task *t, const operation_class *class, task_results results)
{
  operation_begin(&t->op, class, &t->runtime->loop, false);
  operation_complete(&t->op);
  return task_suspend(L, t, &t->op, results);
}
