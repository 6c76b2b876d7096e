#include "script/task/task_depth.h"

#include "script/task/task_cancel.h"
#include "script/task/task_internal.h"
#include "script/task/task_limits.h"

#include <lauxlib.h>

/* LuaJIT checks its own stack, not that of C. An error unwinds C functions without a word to them, so what is
 * counted is where they are on the stack: what lies deeper than the one that begins now is gone. */

static int refuse_depth(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  lur_task *t = rt->current;
  if (!t || !rt->options.max_depth)
    return luaL_error(L, "stack overflow (too many nested calls of C functions)");
  limits_reach(rt, t->script, LIMIT_DEPTH, L);
  if (t->ending == ENDING_CODE) return task_raise_canceled(L, t);
  return luaL_error(L, "calls of C functions may be nested %d deep", (int)rt->options.max_depth);
}

static unsigned nest_limit(const lur_runtime *rt, unsigned most)
{
  return rt->options.max_depth && rt->options.max_depth < most ? rt->options.max_depth : most;
}

unsigned __attribute__((noinline)) depth_enter(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  limits *l = &rt->limits;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  while (l->nested && l->frames[l->nested - 1] <= here) l->nested--;
  if (l->nested >= nest_limit(rt, MAX_NESTED)) refuse_depth(L);
  l->frames[l->nested++] = here;
  return l->nested - 1;
}

void depth_leave(lua_State *L, unsigned level) { runtime_of(L)->limits.nested = level; }

int depth_nest_limit(lua_State *L)
{
  lua_pushnumber(L, nest_limit(runtime_of(L), (unsigned)luaL_checkinteger(L, 1)));
  return 1;
}

int depth_too_deep(lua_State *L) { return runtime_of(L)->options.max_depth ? refuse_depth(L) : 0; }

/* By a metamethod, or in C. */
static bool is_nested_call(lua_State *L, lua_Debug *at)
{
  lua_getinfo(L, "Sn", at);
  return *at->what == 'C' || *at->namewhat == 'm';
}

bool depth_is_over(lua_State *L, unsigned most)
{
  lua_Debug at;
  unsigned deep = 0;
  if (most > MAX_NESTED * 10 || !lua_getstack(L, (int)most, &at)) return false;
  for (int level = 0; level < (int)(2 * most + 2) && lua_getstack(L, level, &at); level++)
    deep += is_nested_call(L, &at);
  return deep >= most;
}
