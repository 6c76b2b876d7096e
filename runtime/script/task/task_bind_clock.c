#include "script/task/task_bind_clock.h"

#include "script/task/task_internal.h"

#include <lauxlib.h>
#include <string.h>

static bool is_virtual(lua_State *L) { return task_clock(L) == &task_loop(L)->virtual; }

/* now() -> monotonic seconds */
static int now(lua_State *L)
{
  loop_update_now(task_loop(L));
  lua_pushnumber(L, (double)clock_now(task_clock(L)) / NANOSECONDS);
  return 1;
}

/* shared_now() -> the virtual clock, whatever clock the task has: for what tasks inside and outside of a
 * virtual run have in common. It goes at the real pace while none is on, and never back. */
static int shared_now(lua_State *L)
{
  loop_update_now(task_loop(L));
  lua_pushnumber(L, (double)clock_now(&task_loop(L)->virtual) / NANOSECONDS);
  return 1;
}

/* time() -> seconds since 1970, with fractions */
static int time_of_day(lua_State *L)
{
  loop_update_now(task_loop(L));
  lua_pushnumber(L, (double)loop_time_of_day(task_loop(L), task_clock(L)) / NANOSECONDS);
  return 1;
}

/* unit() -> a random number from 0 up to, but not including, 1 */
static int unit(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  lua_pushnumber(L, random_unit(is_virtual(L) ? &rt->virtual_random : &rt->random));
  return 1;
}

/* virtual() -> whether the running task lives by the virtual clock, and whether a virtual run is on */
static int virtual_state(lua_State *L)
{
  lua_pushboolean(L, is_virtual(L));
  lua_pushboolean(L, task_loop(L)->run.on);
  return 2;
}

/* virtual_begin(seed, time of day, patience in seconds): begins a run; none may be on. Tasks spawned with
 * TASK_VIRTUAL, and those that they spawn, belong to it. */
static int virtual_begin(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  double seed = luaL_checknumber(L, 1);
  memcpy(&rt->virtual_random.state, &seed, sizeof seed);
  virtual_run_begin(&rt->loop, loop_nanoseconds(luaL_checknumber(L, 3)),
                    loop_nanoseconds(luaL_checknumber(L, 2)));
  return 0;
}

static int virtual_end(lua_State *L)
{
  virtual_run_end(task_loop(L));
  return 0;
}

const luaL_Reg task_clock_functions[] = {
    {"now", now},
    {"shared_now", shared_now},
    {"time", time_of_day},
    {"unit", unit},
    {"virtual", virtual_state},
    {"virtual_begin", virtual_begin},
    {"virtual_end", virtual_end},
    {NULL, NULL},
};
