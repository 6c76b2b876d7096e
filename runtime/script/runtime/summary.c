/* lur_summary: texts that lua/lurcher/report/summary.lua makes. */
#include "script/task/task_owner.h"

#include <lauxlib.h>
#include <stdio.h>

enum { COLUMNS = 80, MIN_COLUMNS = 60, MAX_COLUMNS = 300 };

typedef struct {
  const char *name;
  int columns, colors;
  lur_print_fn write;
  void *ud;
} wanted_summary;

static int make(lua_State *L)
{
  const wanted_summary *wanted = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.require");
  lua_pushliteral(L, "lurcher.report.summary");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, wanted->name);
  lua_pushinteger(L, wanted->columns);
  lua_pushboolean(L, wanted->colors);
  lua_call(L, 2, 1);
  size_t length;
  const char *text = luaL_checklstring(L, -1, &length);
  wanted->write(text, length, wanted->ud);
  return 0;
}

lur_status lur_summary(lur_runtime *rt, lur_summary_kind kind, int columns, int colors, lur_print_fn write,
                       void *ud)
{
  static const struct {
    const char *name;
    bool recorded;
  } kinds[] = {[LUR_SUMMARY_STATS] = {"stats", false},
               [LUR_SUMMARY_EXPLAIN] = {"explain", true},
               [LUR_SUMMARY_HTML] = {"html", true},
               [LUR_SUMMARY_PROMETHEUS] = {"prometheus", false}};
  if (!rt || !runtime_is_here(rt)) return LUR_INVALID;
  const char *why_not =
      (size_t)kind >= sizeof kinds / sizeof *kinds ? "there is no summary of that kind"
      : !write                                     ? "write is NULL"
      : !rt->L                                     ? "the runtime is closed"
      : rt->current && !rt->exiting ? "a summary cannot be made within a callback of a running script"
      : kinds[kind].recorded && !rt->options.record ? "this summary needs lur_options.record"
                                                    : NULL;
  if (why_not) {
    snprintf(rt->message, sizeof rt->message, "%s", why_not);
    return LUR_INVALID;
  }
  wanted_summary wanted = {kinds[kind].name, columns > 0 ? columns : COLUMNS, colors, write, ud};
  if (wanted.columns < MIN_COLUMNS) wanted.columns = MIN_COLUMNS;
  if (wanted.columns > MAX_COLUMNS) wanted.columns = MAX_COLUMNS;
  lua_State *L = rt->exiting ? rt->exiting : rt->L;
  if (lua_cpcall(L, make, &wanted) == 0) return LUR_OK;
  const char *message = lua_tostring(L, -1);
  snprintf(rt->message, sizeof rt->message, "%s", message ? message : "not enough memory");
  lua_pop(L, 1);
  return LUR_FAILED;
}
