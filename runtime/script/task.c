#include "script/state.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const operation_class sleeping = {"a sleep", NULL};
static const operation_class yielding = {"its turn", NULL};
static const operation_class parking = {"another task", NULL};

static void leave_joiners(operation *op);
static const operation_class joining = {"a task's end", leave_joiners};

static lur_task *check_task(lua_State *L, int index) { return luaL_checkudata(L, index, "lurcher.task"); }

static scope *check_scope(lua_State *L, int index)
{
  return *(scope **)luaL_checkudata(L, index, "lurcher.scope");
}

/* ---- waiting ---- */

static int no_results(lua_State *L, operation *op)
{
  (void)L;
  operation_reset(op);
  return 0;
}

static lur_task *about_to_wait(lua_State *L, const char *name)
{
  lur_task *t = task_about_to_park(L, name);
  task_checkpoint(L, t);
  return t;
}

static void on_sleep_due(timer *due)
{
  lur_task *t = (lur_task *)((char *)due - offsetof(lur_task, timer));
  task_wake(t);
}

/* yield() */
static int yield_start(lua_State *L)
{
  lur_task *t = about_to_wait(L, yielding.name);
  return task_give_way(L, t, &yielding, no_results);
}

/* sleep(seconds) */
static int sleep_start(lua_State *L)
{
  double seconds = luaL_checknumber(L, 1);
  if (isnan(seconds)) return luaL_argerror(L, 1, "not a number of seconds");
  if (seconds <= 0) return yield_start(L);
  lur_task *t = about_to_wait(L, sleeping.name);
  loop *l = &t->runtime->loop;
  uint64_t due = loop_update_now(l) + loop_nanoseconds(seconds);
  if (!loop_timer_start(l, &t->timer, due, on_sleep_due)) return luaL_error(L, "not enough memory");
  return task_park(L, t, &sleeping, no_results, true);
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
  lur_task *t = about_to_wait(L, what ? what : parking.name);
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
  lur_task *t = check_task(L, 1);
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

static void leave_joiners(operation *op)
{
  lur_task *t = (lur_task *)((char *)op - offsetof(lur_task, op)), *joined = t->target;
  lur_task **place = &joined->joiners;
  while (*place && *place != t) place = &(*place)->next_joiner;
  if (*place) *place = t->next_joiner;
}

/* join(handle): waits for its end, however it ends */
static int join_start(lua_State *L)
{
  lur_task *joined = check_task(L, 1);
  lur_task *t = about_to_wait(L, joining.name);
  if (task_ended(joined)) return 0;
  if (joined == t) return luaL_error(L, "a task cannot wait for its own end");
  t->target = joined;
  t->next_joiner = joined->joiners;
  joined->joiners = t;
  return task_park(L, t, &joining, no_results, false);
}

/* results(handle): what the task returned; raises its error */
static int results(lua_State *L)
{
  lur_task *t = check_task(L, 1);
  if (!task_ended(t)) return luaL_error(L, "the task has not ended");
  lua_settop(L, 1);
  if (!t->has_locals) return 0;
  task_push_locals(L, 1, t);
  if (t->status == TASK_DONE) {
    lua_getfield(L, 2, "count");
    int count = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
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

/* ---- scopes ---- */

static int new_scope(lua_State *L)
{
  scope **place = lua_newuserdata(L, sizeof *place);
  *place = NULL;
  luaL_getmetatable(L, "lurcher.scope");
  lua_setmetatable(L, -2);
  *place = scope_new(runtime_of(L));
  return *place ? 1 : luaL_error(L, "not enough memory");
}

static int collect_scope(lua_State *L)
{
  scope **place = lua_touserdata(L, 1);
  if (*place) scope_unref(*place);
  *place = NULL;
  return 0;
}

/* spawn(scope or nil, flags, fn, …) -> handle; nil: the running task's scope */
static int spawn(lua_State *L)
{
  scope *s = lua_isnil(L, 1) ? task_current(L)->scope : check_scope(L, 1);
  unsigned flags = (unsigned)luaL_checkinteger(L, 2);
  luaL_checkany(L, 3);
  task_spawn(L, s, lua_gettop(L) - 3, flags);
  return 1;
}

/* daemon(fn, …) -> handle: does not keep the script alive, and is cancelled when all scripts have ended */
static int spawn_daemon(lua_State *L)
{
  luaL_checkany(L, 1);
  task_spawn(L, runtime_of(L)->daemons, lua_gettop(L) - 1, TASK_QUIET);
  return 1;
}

static void on_scope_due(timer *due)
{
  lur_task *t = (lur_task *)((char *)due - offsetof(lur_task, timer));
  scope *s = t->target;
  s->timed_out = true;
  scope_cancel(s, "its time is over");
}

static int scope_results(lua_State *L, operation *op)
{
  lur_task *t = (lur_task *)((char *)op - offsetof(lur_task, op));
  scope *s = t->target;
  operation_reset(op);
  loop_timer_stop(&t->runtime->loop, &t->timer);
  lua_pushboolean(L, s->timed_out);
  return 1;
}

/* scope_wait(scope [, seconds]) -> timed out: waits until all its tasks have ended, even in a cancelled task
 * (whose cancellation goes on to them). After `seconds` they are cancelled. */
static int scope_wait_start(lua_State *L)
{
  scope *s = check_scope(L, 1);
  lur_task *t = task_about_to_park(L, task_scope_wait.name);
  double seconds = luaL_optnumber(L, 2, -1);
  if (task_must_stop(t)) scope_cancel(s, t->why);
  if (s->count == 0) {
    lua_pushboolean(L, false);
    return 1;
  }
  loop *l = &t->runtime->loop;
  t->target = s;
  if (seconds >= 0 &&
      !loop_timer_start(l, &t->timer, loop_update_now(l) + loop_nanoseconds(seconds), on_scope_due))
    return luaL_error(L, "not enough memory");
  s->owner = t;
  return task_park(L, t, &task_scope_wait, scope_results, seconds >= 0);
}

static void leave_room(operation *op);
static const operation_class room_wait = {"room in a scope", leave_room};

static void leave_room(operation *op)
{
  lur_task *t = (lur_task *)((char *)op - offsetof(lur_task, op));
  ((scope *)t->target)->room_waiter = NULL;
}

/* scope_room(scope, count): waits until at most so many tasks are in it. One task at a time may wait for
 * this. */
static int scope_room_start(lua_State *L)
{
  scope *s = check_scope(L, 1);
  unsigned room = (unsigned)luaL_checkinteger(L, 2);
  lur_task *t = about_to_wait(L, room_wait.name);
  if (s->count <= room) return 0;
  t->target = s;
  s->room_waiter = t;
  s->room = room;
  return task_park(L, t, &room_wait, no_results, false);
}

/* scope_cancel(scope [, settled]): cancels its tasks; settled: their failures no longer matter */
static int cancel_scope(lua_State *L)
{
  scope *s = check_scope(L, 1);
  if (lua_toboolean(L, 2)) s->settled = true;
  scope_cancel(s, NULL);
  return 0;
}

/* scope_failed(scope) -> the handle of the first task that failed, or nil */
static int scope_failed(lua_State *L)
{
  scope *s = check_scope(L, 1);
  if (!s->failed) return 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->failed_ref);
  return 1;
}

/* scope_count(scope) -> how many tasks are in it */
static int scope_count(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_scope(L, 1)->count);
  return 1;
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
  lur_task *t = lua_isnoneornil(L, 1) ? runtime_of(L)->current : check_task(L, 1);
  if (!t || !t->body) return 0;
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    task_push(L, t);
  }
  task_push_locals(L, 1, t);
  lua_getfield(L, -1, "scope");
  return 1;
}

static int now(lua_State *L)
{
  lua_pushnumber(L, (double)uv_hrtime() / NANOSECONDS);
  return 1;
}

static int cancel(lua_State *L)
{
  task_cancel(check_task(L, 1), luaL_optstring(L, 2, NULL));
  return 0;
}

/* checkpoint(): raises when the task is cancelled */
static int checkpoint(lua_State *L)
{
  about_to_wait(L, "tasks");
  return 0;
}

/* stopping() -> whether every wait of the running task raises */
static int stopping(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  lua_pushboolean(L, t && task_must_stop(t));
  return 1;
}

/* raise_if_stopping(): raises the cancellation of the running task, if there is one */
static int raise_if_stopping(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  if (t) task_checkpoint(L, t);
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
    t = check_task(L, 1);
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

/* refuse(): the wait that has just been begun cannot be suspended */
static int refuse(lua_State *L)
{
  task_refuse(task_current(L));
  return 0;
}

/* ---- reports ---- */

/* trace(err) -> err: a handler for xpcall that keeps the traceback for the report */
static int trace(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  lua_settop(L, 1);
  if (!t) return 1;
  report_push_traceback(L, L, 1);
  report_note_cause(L, t);
  return 1;
}

/* note(err, thread or handle): err came from there */
static int note(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  lua_settop(L, 2);
  if (!t) return 0;
  lua_State *co = lua_tothread(L, 2);
  if (co) {
    report_push_traceback(L, co, 0);
    lua_replace(L, 2);
  }
  report_note_cause(L, t);
  return 0;
}

/* report(handle) -> what went wrong in a failed task, with the Lua lines of every task involved */
static int report(lua_State *L)
{
  lur_task *t = check_task(L, 1);
  if (t->status != TASK_FAILED) return 0;
  report_push(L, 1);
  return 1;
}

/* waiting(after) -> a line for every waiting task whose id is above `after` */
static int waiting(lua_State *L)
{
  char *text = report_waiting(runtime_of(L), "", (uint32_t)luaL_optinteger(L, 1, 0), true);
  lua_pushstring(L, text ? text : "");
  free(text);
  return 1;
}

/* last_id() -> the id of the task made last */
static int last_id(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)runtime_of(L)->last_id);
  return 1;
}

static const char *const status_texts[] = {"running", "done", "failed", "canceled"};

/* handle.status, handle.id, or a method (upvalue 1) */
static int index_task(lua_State *L)
{
  lur_task *t = check_task(L, 1);
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
  lua_pushfstring(L, "task %d", (int)check_task(L, 1)->id);
  return 1;
}

/* ---- the runtime's own ---- */

/* count(name, change) */
static int count(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  const char *name = luaL_checkstring(L, 1);
  int change = (int)luaL_checkinteger(L, 2), before = rt->counter_count;
  task_count(L, name, change);
  if (rt->counter_count == before) return 0;
  counter *added = &rt->counters[before];
  added->name = strdup(name);
  added->owned = added->name != NULL;
  if (!added->owned) rt->counter_count--;
  return 0;
}

/* counts() -> how many things are open, by name. Daemons are no tasks that somebody left behind. */
static int counts(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  lua_createtable(L, 0, rt->counter_count + 1);
  lua_pushinteger(L, (lua_Integer)(rt->tasks - rt->daemons->count));
  lua_setfield(L, -2, "task");
  for (int i = 0; i < rt->counter_count; i++) {
    lua_pushinteger(L, rt->counters[i].value);
    lua_setfield(L, -2, rt->counters[i].name);
  }
  return 1;
}

/* print(text): to the host */
static int print(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  if (rt->options.print) rt->options.print(text, length, rt->options.ud);
  return 0;
}

/* log(level, text): to the host; 1 error, 2 warn, 3 info, 4 debug */
static int log_line(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  size_t length;
  int level = (int)luaL_checkinteger(L, 1);
  const char *text = luaL_checklstring(L, 2, &length);
  if (rt->options.log && level <= (int)rt->options.log_level)
    rt->options.log((lur_log_level)level, text, length, rt->options.ud);
  return 0;
}

/* log_level() -> lines above it are dropped; 0: all are */
static int log_level(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  lua_pushinteger(L, rt->options.log ? (int)rt->options.log_level : 0);
  return 1;
}

/* exit(code) */
static int exit_host(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  if (!rt->options.exit)
    return luaL_error(
        L, "os.exit: this script runs inside another program, which did not allow it to end the process");
  rt->options.exit((int)luaL_optinteger(L, 1, 0), rt->options.ud);
  runtime_cancel_all(rt, "os.exit was called");
  if (rt->current) task_checkpoint(L, rt->current);
  return 0;
}

static const luaL_Reg blocking[] = {
    {"sleep", sleep_start},           {"yield", yield_start}, {"park", park_start},
    {"suspend", suspend_start},       {"join", join_start},   {"scope_wait", scope_wait_start},
    {"scope_room", scope_room_start}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"spawn", spawn},
    {"daemon", spawn_daemon},
    {"wake", wake},
    {"results", results},
    {"scope", new_scope},
    {"scope_cancel", cancel_scope},
    {"scope_failed", scope_failed},
    {"scope_count", scope_count},
    {"current", current},
    {"now", now},
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
    {"refuse", refuse},
    {"trace", trace},
    {"note", note},
    {"report", report},
    {"waiting", waiting},
    {"last_id", last_id},
    {"count", count},
    {"counts", counts},
    {"print", print},
    {"log", log_line},
    {"log_level", log_level},
    {"exit", exit_host},
    {NULL, NULL},
};

int luaopen_lurcher_native_task(lua_State *L)
{
  luaL_newmetatable(L, "lurcher.scope");
  lua_pushcfunction(L, collect_scope);
  lua_setfield(L, -2, "__gc");
  lua_createtable(L, 0, 48);
  luaL_setfuncs(L, functions, 0);
  for (const luaL_Reg *b = blocking; b->name; b++) task_set_blocking(L, -1, b->name, b->func);
  task_push_wait_tag(L);
  lua_setfield(L, -2, "tag");

  luaL_newmetatable(L, "lurcher.task");
  lua_newtable(L); /* methods, filled by lua/lurcher/prelude.lua */
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
