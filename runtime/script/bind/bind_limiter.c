#include "script/bind/bind_limiter.h"

#include "core/container_of.h"
#include "script/base/lua_class.h"
#include "script/task/task.h"

#include <lauxlib.h>
#include <stddef.h>
#include <stdlib.h>

static const char metatable[] = "lurcher.limiter";

limiter *limiter_check(lua_State *L, int index) { return *(limiter **)luaL_checkudata(L, index, metatable); }

/* new(rate, burst) → a full limiter. It may be shared by tasks in and out of a virtual run: while one is on,
 * it lives by its clock. */
static int new_limiter(lua_State *L)
{
  double rate = luaL_checknumber(L, 1), burst = luaL_checknumber(L, 2);
  luaL_argcheck(L, rate > 0, 1, "not a rate");
  luaL_argcheck(L, burst >= 1, 2, "not a burst");
  limiter **place = lua_newuserdata(L, sizeof *place);
  *place = NULL;
  luaL_getmetatable(L, metatable);
  lua_setmetatable(L, -2);
  loop_update_now(task_loop(L));
  *place = limiter_new(&task_loop(L)->virtual, rate, burst);
  return *place ? 1 : luaL_error(L, "not enough memory");
}

static int limiter_gc(lua_State *L)
{
  limiter **place = lua_touserdata(L, 1);
  limiter_unref(*place);
  *place = NULL;
  return 0;
}

/* ---- waiting ---- */

typedef struct {
  operation op;
  limiter_waiter waiter;
} wait;

static void on_turn(limiter_waiter *w)
{
  wait *waiting = container_of(w, wait, waiter);
  operation_complete(&waiting->op);
}

static void free_wait(wait *w)
{
  operation_reset(&w->op);
  limiter_unref(w->waiter.limiter);
  free(w);
}

/* The tokens go back when they were taken already. */
static void abandon(operation *op)
{
  wait *w = container_of(op, wait, op);
  if (limiter_waits(&w->waiter))
    limiter_leave(&w->waiter);
  else
    limiter_give_back(w->waiter.limiter, w->waiter.count);
  free_wait(w);
}

static const operation_class waiting_class = {"a limiter", abandon};

static int wait_results(lua_State *L, operation *op)
{
  (void)L;
  free_wait(container_of(op, wait, op));
  return 0;
}

/* wait(limiter, count): until that many tokens are there and were taken */
static int wait_start(lua_State *L)
{
  limiter *l = limiter_check(L, 1);
  double count = luaL_checknumber(L, 2);
  wait *w = calloc(1, sizeof *w);
  if (!w) return luaL_error(L, "not enough memory");
  w->waiter.on_turn = on_turn;
  loop_update_now(task_loop(L));
  limiter_ref(l);
  operation_begin(&w->op, &waiting_class, task_loop(L), true);
  if (limiter_take(l, &w->waiter, limiter_arrive(l), count)) operation_complete(&w->op);
  return task_wait(L, &w->op, wait_results);
}

int luaopen_lurcher_native_limiter(lua_State *L)
{
  class_new(L, metatable, limiter_gc, NULL);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushcfunction(L, new_limiter);
  lua_setfield(L, -2, "new");
  task_set_blocking(L, -1, "wait", wait_start);
  return 1;
}
