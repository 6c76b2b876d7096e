#include "script/task/task_bind.h"

#include "script/base/lua_error.h"
#include "script/task/task_anchor.h"
#include "script/task/task_bind_clock.h"
#include "script/task/task_bind_host.h"
#include "script/task/task_bind_scopes.h"
#include "script/task/task_cancel.h"
#include "script/task/task_park.h"
#include "script/task/task_report.h"
#include "script/task/task_scheduler.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const operation_class sleeping = {"a sleep", NULL};
static const operation_class yielding = {"its turn", NULL};
static const operation_class parking = {"another task", NULL};

static void leave_joiners(operation *op) { list_remove(&container_of(op, lur_task, op)->joiner); }
static const operation_class joining = {"a task's end", leave_joiners};

/* Raises with the position of the script's line: the caller may be a function of the runtime. */
static int raise_at_caller(lua_State *L, const char *message)
{
  char at[128];
  report_position(L, at, sizeof at);
  lua_pushfstring(L, "%s%s%s", at, *at ? ": " : "", message);
  return lua_error(L);
}

lur_task *task_check(lua_State *L, int index)
{
  bool is_task = false;
  if (lua_getmetatable(L, index)) {
    luaL_getmetatable(L, "lurcher.task");
    is_task = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  if (!is_task) raise_at_caller(L, "this is no task; its methods are called with a colon: handle:join()");
  return lua_touserdata(L, index);
}

/* ---- waiting ---- */

int task_no_results(lua_State *L, operation *op)
{
  (void)L;
  operation_reset(op);
  return 0;
}

lur_task *task_about_to_wait(lua_State *L, const char *name)
{
  lur_task *t = task_about_to_park(L, name);
  task_checkpoint(L, t);
  return t;
}

static void on_sleep_due(timer *due) { task_wake(container_of(due, lur_task, timer)); }

/* yield() */
static int yield_start(lua_State *L)
{
  lur_task *t = task_about_to_wait(L, yielding.name);
  return task_give_way(L, t, &yielding, task_no_results);
}

static int wrong_seconds(lua_State *L)
{
  const char *got = lua_type(L, 1) == LUA_TNUMBER ? "nan" : luaL_typename(L, 1);
  char message[128];
  snprintf(message, sizeof message, "bad argument #1 to 'task.sleep' (a number of seconds expected, got %s)",
           got);
  return raise_at_caller(L, message);
}

/* Seconds; of a longer sleep, 1 ms more is less than a tenth. */
static const double PRECISE_BELOW = 0.01;

/* sleep(seconds) */
static int sleep_start(lua_State *L)
{
  double seconds = lua_isnumber(L, 1) ? lua_tonumber(L, 1) : NAN;
  if (isnan(seconds)) return wrong_seconds(L);
  if (seconds <= 0) return yield_start(L);
  lur_task *t = task_about_to_wait(L, sleeping.name);
  loop_clock *c = clock_of(t);
  loop_update_now(&t->runtime->loop);
  uint64_t due = clock_now(c) + loop_nanoseconds(seconds);
  bool started = seconds < PRECISE_BELOW ? clock_start_precise(c, &t->timer, due, on_sleep_due)
                                         : clock_start(c, &t->timer, due, on_sleep_due);
  if (!started) return luaL_error(L, "not enough memory");
  return task_park(L, t, &sleeping, task_no_results, true);
}

static int given_results(lua_State *L, operation *op)
{
  operation_reset(op);
  return lua_gettop(L);
}

/* park([what]): waits for wake(handle, …) and returns what it was given; `what` is for reports */
static int park_start(lua_State *L)
{
  const char *what = luaL_optstring(L, 1, NULL);
  lur_task *t = task_about_to_wait(L, what ? what : parking.name);
  t->waits_for = what;
  return task_park(L, t, &parking, given_results, false);
}

static int true_and_given_results(lua_State *L, operation *op)
{
  operation_reset(op);
  lua_pushboolean(L, true);
  lua_insert(L, 1);
  return lua_gettop(L);
}

/* suspend([what]): as park, but returns true and the values, or false when the task is cancelled */
static int suspend_start(lua_State *L)
{
  const char *what = luaL_optstring(L, 1, NULL);
  lur_task *t = task_about_to_park(L, what ? what : parking.name);
  if (task_must_stop(t)) {
    lua_pushboolean(L, false);
    return 1;
  }
  t->soft = true;
  t->waits_for = what;
  return task_park(L, t, &parking, true_and_given_results, false);
}

/* wake(handle, …) -> whether it was parked */
static int wake(lua_State *L)
{
  lur_task *t = task_check(L, 1);
  bool parked = t->waiting == &t->op && t->op.class == &parking && t->op.state == OPERATION_PENDING;
  if (parked) {
    int count = lua_gettop(L) - 1;
    if (!lua_checkstack(t->L, count + 1)) return luaL_error(L, "too many values");
    lua_xmove(L, t->L, count);
    t->arguments = count;
    task_wake(t);
  }
  lua_pushboolean(L, parked);
  return 1;
}

/* join(handle): waits for its end, however it ends */
static int join_start(lua_State *L)
{
  lur_task *joined = task_check(L, 1);
  lur_task *t = task_about_to_wait(L, joining.name);
  if (task_ended(joined)) return 0;
  if (joined == t) return raise_at_caller(L, "a task cannot wait for its own end");
  t->target = joined;
  list_append(&joined->joiners, &t->joiner);
  return task_park(L, t, &joining, task_no_results, false);
}

/* results(handle): what the task returned; raises its error */
static int results(lua_State *L)
{
  lur_task *t = task_check(L, 1);
  if (!task_ended(t)) return luaL_error(L, "the task has not ended");
  lua_settop(L, 1);
  if (t->out_of_memory) return luaL_error(L, "not enough memory");
  if (!t->has_locals && t->status == TASK_CANCELED) return task_raise_canceled(L, t);
  if (!t->has_locals) return 0;
  task_push_locals(L, 1, t);
  if (t->status == TASK_DONE) {
    int count = t->result_count;
    luaL_checkstack(L, count, "task results");
    for (int i = 1; i <= count; i++) lua_rawgeti(L, 2, i);
    return count;
  }
  lua_getfield(L, 2, "error");
  if (t->status == TASK_FAILED) {
    lua_pushvalue(L, 1);
    report_note_cause(L, task_current(L));
  }
  return lua_error(L);
}

/* ---- tasks ---- */

static int current(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  if (!t) return 0;
  task_push(L, t);
  return 1;
}

/* body_scope([handle]) -> what `locals().scope` is in a task that is the body of a scope, or nil */
static int body_scope(lua_State *L)
{
  lur_task *t = lua_isnoneornil(L, 1) ? runtime_of(L)->current : task_check(L, 1);
  if (!t || !t->body) return 0;
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    task_push(L, t);
  }
  task_push_locals(L, 1, t);
  lua_getfield(L, -1, "scope");
  return 1;
}

static int cancel(lua_State *L)
{
  task_cancel(task_check(L, 1), luaL_optstring(L, 2, NULL));
  return 0;
}

/* checkpoint(): raises when the task is cancelled */
static int checkpoint(lua_State *L)
{
  task_about_to_wait(L, "tasks");
  return 0;
}

/* stopping() -> whether every wait of the running task raises */
static int stopping(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  lua_pushboolean(L, t && task_must_stop(t));
  return 1;
}

static bool is_caught_cancellation(lua_State *L, int index)
{
  if (!errors_is(L, index)) return false;
  lua_pushliteral(L, "kind");
  lua_rawget(L, index);
  const char *kind = lua_tostring(L, -1);
  lua_pop(L, 1);
  return kind && strcmp(kind, "canceled") == 0;
}

/* raise_if_stopping(caught): raises the cancellation of the running task, if there is one. A task that ends
 * for a limit may be within thousands of pcalls: the error goes through all of them, and is not made anew. */
static int raise_if_stopping(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  if (!t) return 0;
  lua_settop(L, 1);
  if (t->ending == ENDING_CODE && task_must_stop(t) && is_caught_cancellation(L, 1)) return lua_error(L);
  task_checkpoint(L, t);
  return 0;
}

/* shield(change): +1 or -1 */
static int shield(lua_State *L)
{
  lur_task *t = task_current(L);
  t->shield = (unsigned short)(t->shield + luaL_checkinteger(L, 1));
  return 0;
}

/* cleanup(begin): begins or ends the running of deferred functions */
static int cleanup_switch(lua_State *L)
{
  lur_task *t = task_current(L);
  if (!lua_toboolean(L, 1))
    task_end_cleanup(t);
  else if (!task_begin_cleanup(t))
    return luaL_error(L, "not enough memory");
  return 0;
}

/* locals([handle]) -> a table that belongs to the task (default: the running one) */
static int locals(lua_State *L)
{
  lur_task *t;
  if (lua_isnoneornil(L, 1)) {
    t = task_current(L);
    lua_settop(L, 0);
    task_push(L, t);
  } else {
    t = task_check(L, 1);
  }
  task_push_locals(L, 1, t);
  return 1;
}

/* needs_cleanup(): the function given to set_cleanup is to be called with the running task's locals at its
 * end */
static int needs_cleanup(lua_State *L)
{
  task_current(L)->has_cleanup = true;
  return 0;
}

static int set_cleanup(lua_State *L)
{
  lua_settop(L, 1);
  runtime_of(L)->cleanup_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* set_unwound(fn): called when an error has ended a task, outside of any */
static int set_unwound(lua_State *L)
{
  lua_settop(L, 1);
  runtime_of(L)->unwound_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* is_outermost() -> whether the running code is in no coroutine of its task */
static int is_outermost(lua_State *L)
{
  const lur_task *t = runtime_of(L)->current;
  lua_pushboolean(L, t && t->L == L);
  return 1;
}

/* refuse(): the wait that has just been begun cannot be suspended */
static int refuse(lua_State *L)
{
  task_refuse(task_current(L));
  return 0;
}

static const char *const status_texts[] = {"running", "done", "failed", "canceled"};

/* handle.status, handle.id, or a method (upvalue 1) */
static int index_task(lua_State *L)
{
  lur_task *t = task_check(L, 1);
  const char *key = lua_tostring(L, 2);
  if (key && strcmp(key, "status") == 0)
    lua_pushstring(L, status_texts[task_ended(t) ? t->status : TASK_RUNNING]);
  else if (key && strcmp(key, "id") == 0)
    lua_pushinteger(L, (lua_Integer)t->id);
  else
    lua_rawget(L, lua_upvalueindex(1));
  return 1;
}

static int task_tostring(lua_State *L)
{
  lua_pushfstring(L, "task %d", (int)task_check(L, 1)->id);
  return 1;
}

static const luaL_Reg blocking[] = {
    {"sleep", sleep_start},     {"yield", yield_start}, {"park", park_start},
    {"suspend", suspend_start}, {"join", join_start},   {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"wake", wake},
    {"results", results},
    {"current", current},
    {"body_scope", body_scope},
    {"cancel", cancel},
    {"checkpoint", checkpoint},
    {"stopping", stopping},
    {"raise_if_stopping", raise_if_stopping},
    {"shield", shield},
    {"cleanup", cleanup_switch},
    {"locals", locals},
    {"needs_cleanup", needs_cleanup},
    {"set_cleanup", set_cleanup},
    {"set_unwound", set_unwound},
    {"is_outermost", is_outermost},
    {"refuse", refuse},
    {NULL, NULL},
};

static void add_functions(lua_State *L, const luaL_Reg *plain, const luaL_Reg *blocking_ones)
{
  luaL_setfuncs(L, plain, 0);
  for (const luaL_Reg *b = blocking_ones; b && b->name; b++) task_set_blocking(L, -1, b->name, b->func);
}

int luaopen_lurcher_native_task(lua_State *L)
{
  task_open_scopes(L);
  lua_createtable(L, 0, 48);
  add_functions(L, functions, blocking);
  add_functions(L, task_scope_functions, task_scope_blocking);
  add_functions(L, task_host_functions, NULL);
  add_functions(L, task_clock_functions, NULL);
  task_push_wait_tag(L);
  lua_setfield(L, -2, "tag");

  luaL_newmetatable(L, "lurcher.task");
  lua_newtable(L); /* methods, filled by lua/lurcher/task/prelude.lua */
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "methods");
  lua_pushcclosure(L, index_task, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, task_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
  return 1;
}
