#include "script/task/task_bind_scopes.h"

#include "script/task/task_anchor.h"
#include "script/task/task_bind.h"
#include "script/task/task_cancel.h"
#include "script/task/task_park.h"
#include "script/task/task_scheduler.h"
#include "script/task/task_scope.h"

#include <lauxlib.h>

static scope *check_scope(lua_State *L, int index)
{
  return *(scope **)luaL_checkudata(L, index, "lurcher.scope");
}

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

/* daemon(fn, …) -> handle: does not keep the script alive, is cancelled when all scripts have ended, and
 * lives by the virtual clock while a virtual run is on */
static int spawn_daemon(lua_State *L)
{
  luaL_checkany(L, 1);
  task_spawn(L, runtime_of(L)->daemons, lua_gettop(L) - 1, TASK_ISOLATED | TASK_SERVER);
  return 1;
}

static void on_scope_due(timer *due)
{
  lur_task *t = container_of(due, lur_task, timer);
  scope *s = t->target;
  s->timed_out = true;
  scope_cancel(s, "its time is over");
}

static int scope_results(lua_State *L, operation *op)
{
  lur_task *t = container_of(op, lur_task, op);
  scope *s = t->target;
  operation_reset(op);
  timer_stop(&t->timer);
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
  loop_clock *c = clock_of(t);
  t->target = s;
  loop_update_now(&t->runtime->loop);
  if (seconds >= 0 && !clock_start(c, &t->timer, clock_now(c) + loop_nanoseconds(seconds), on_scope_due))
    return luaL_error(L, "not enough memory");
  s->owner = t;
  return task_park(L, t, &task_scope_wait, scope_results, seconds >= 0);
}

static void leave_room(operation *op);
static const operation_class room_wait = {"room in a scope", leave_room};

static void leave_room(operation *op)
{
  lur_task *t = container_of(op, lur_task, op);
  ((scope *)t->target)->room_waiter = NULL;
}

/* scope_room(scope, count): waits until at most so many tasks are in it. One task at a time may wait for
 * this. */
static int scope_room_start(lua_State *L)
{
  scope *s = check_scope(L, 1);
  unsigned room = (unsigned)luaL_checkinteger(L, 2);
  lur_task *t = task_about_to_wait(L, room_wait.name);
  if (s->count <= room) return 0;
  t->target = s;
  s->room_waiter = t;
  s->room = room;
  return task_park(L, t, &room_wait, task_no_results, false);
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
  if (s->out_of_memory) return luaL_error(L, "not enough memory");
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

void task_open_scopes(lua_State *L)
{
  luaL_newmetatable(L, "lurcher.scope");
  lua_pushcfunction(L, collect_scope);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

const luaL_Reg task_scope_blocking[] = {
    {"scope_wait", scope_wait_start},
    {"scope_room", scope_room_start},
    {NULL, NULL},
};

const luaL_Reg task_scope_functions[] = {
    {"spawn", spawn},
    {"daemon", spawn_daemon},
    {"scope", new_scope},
    {"scope_cancel", cancel_scope},
    {"scope_failed", scope_failed},
    {"scope_count", scope_count},
    {NULL, NULL},
};
