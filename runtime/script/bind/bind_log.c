/* lurcher.native.log: where log lines and traces go, and which are wanted. Lua makes them:
 * lua/lurcher/log.lua, lua/lurcher/report/trace.lua. */
#include "script/task/task_internal.h"

#include <lauxlib.h>

int luaopen_lurcher_native_log(lua_State *L);

static lur_log_level check_level(lua_State *L, int index)
{
  int level = luaL_checkint(L, index);
  luaL_argcheck(L, level >= LUR_LOG_ERROR && level <= LUR_LOG_DEBUG, index, "no such level");
  return (lur_log_level)level;
}

/* level() -> number: lines of a higher one are not wanted */
static int log_level(lua_State *L)
{
  lua_pushinteger(L, runtime_of(L)->options.log_level);
  return 1;
}

/* set_level(number) */
static int log_set_level(lua_State *L)
{
  runtime_of(L)->options.log_level = check_level(L, 1);
  return 0;
}

/* write(level, line): hands a line, without its end, to the host */
static int log_write(lua_State *L)
{
  const lur_options *options = &runtime_of(L)->options;
  size_t length;
  lur_log_level level = check_level(L, 1);
  const char *line = luaL_checklstring(L, 2, &length);
  if (options->log) options->log(level, line, length, options->ud);
  return 0;
}

/* tracing() -> whether lines about request attempts are wanted; 0 to 2: with heads, with bodies */
static int log_tracing(lua_State *L)
{
  const lur_options *options = &runtime_of(L)->options;
  lua_pushboolean(L, options->trace != NULL);
  lua_pushinteger(L, options->trace_detail);
  return 2;
}

/* progress(line) -> columns, 0 if they are not known: has the host show how far the script is; nil: it does
 * not want to */
static int log_progress(lua_State *L)
{
  const lur_options *options = &runtime_of(L)->options;
  size_t length;
  const char *line = luaL_checklstring(L, 1, &length);
  if (!options->progress) return 0;
  lua_pushinteger(L, options->progress(line, length, options->ud));
  return 1;
}

/* recording() -> whether what happens to requests is to be kept for summaries */
static int log_recording(lua_State *L)
{
  lua_pushboolean(L, runtime_of(L)->options.record);
  return 1;
}

/* trace(line): hands a line about a request attempt, without its end, to the host */
static int log_trace(lua_State *L)
{
  const lur_options *options = &runtime_of(L)->options;
  size_t length;
  const char *line = luaL_checklstring(L, 1, &length);
  if (options->trace) options->trace(line, length, options->ud);
  return 0;
}

int luaopen_lurcher_native_log(lua_State *L)
{
  static const luaL_Reg functions[] = {{"level", log_level},         {"set_level", log_set_level},
                                       {"write", log_write},         {"tracing", log_tracing},
                                       {"recording", log_recording}, {"trace", log_trace},
                                       {"progress", log_progress},   {NULL, NULL}};
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  return 1;
}
