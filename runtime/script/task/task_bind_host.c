#include "script/task/task_bind_host.h"

#include "script/task/task_anchor.h"
#include "script/task/task_bind.h"
#include "script/task/task_cancel.h"
#include "script/task/task_depth.h"
#include "script/task/task_permit.h"
#include "script/task/task_report.h"
#include "script/task/task_scope.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

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
  lur_task *t = task_check(L, 1);
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

/* ---- counts, output, the end ---- */

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

/* note_openings(list or nil): it gets a text for each thing that is opened, "file a.lua:12" */
static int note_openings(lua_State *L)
{
  lua_settop(L, 1);
  if (!lua_isnil(L, 1)) luaL_checktype(L, 1, LUA_TTABLE);
  task_note_openings(L);
  return 0;
}

/* counts() -> how many things are open, by name. Daemons do not count: they are not left behind by a test. */
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

static void cancel_for_exit(lur_runtime *rt)
{
  static const char why[] = "os.exit was called";
  if (!task_is_confined(rt))
    scope_cancel_scripts(rt, why);
  else if (rt->current && rt->current->script)
    scope_cancel(rt->current->script, why);
}

/* exit(code): of a confined script only its own end */
static int exit_host(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  if (!rt->options.exit && !task_is_confined(rt)) {
    luaL_where(L, 2); /* who called os.exit */
    lua_pushliteral(
        L, "os.exit: this script runs inside another program, which did not allow it to end the process");
    lua_concat(L, 2);
    return lua_error(L);
  }
  rt->exiting = L;
  if (rt->options.exit) rt->options.exit((int)luaL_optinteger(L, 1, 0), rt->options.ud);
  rt->exiting = NULL;
  cancel_for_exit(rt);
  if (!rt->current) return 0;
  if (rt->current->stop < STOP_EXIT) rt->current->stop = STOP_EXIT;
  return task_raise_canceled(L, rt->current);
}

/* script() -> nil where scripts are not confined, else what stands for the running one (true: none runs), and
 * whether no other was ever started */
static int script_of_current(lua_State *L)
{
  const lur_runtime *rt = runtime_of(L);
  if (!task_is_confined(rt)) return 0;
  if (rt->current && rt->current->script && rt->current->script->main)
    task_push(L, rt->current->script->main);
  else
    lua_pushboolean(L, true);
  lua_pushboolean(L, !rt->had_scripts);
  return 2;
}

/* asks() -> whether the host is asked before scripts touch something */
static int asks(lua_State *L)
{
  lua_pushboolean(L, task_permit(L) != NULL);
  return 1;
}

const luaL_Reg task_host_functions[] = {
    {"asks", asks},
    {"script", script_of_current},
    {"guard", limits_guard},
    {"nest_limit", depth_nest_limit},
    {"too_deep", depth_too_deep},
    {"trace", trace},
    {"note", note},
    {"report", report},
    {"waiting", waiting},
    {"last_id", last_id},
    {"count", count},
    {"counts", counts},
    {"note_openings", note_openings},
    {"print", print},
    {"log", log_line},
    {"log_level", log_level},
    {"exit", exit_host},
    {NULL, NULL},
};
