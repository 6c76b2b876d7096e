#include "script/runtime/run_script.h"

#include "core/buffer.h"
#include "script/base/lua_error.h"
#include "script/host/host_values.h"
#include "script/runtime/runtime.h"
#include "script/task/task_anchor.h"
#include "script/task/task_owner.h"
#include "script/task/task_report.h"

#include <lauxlib.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char wrap_key;

/* keep(...) -> the JSON array of the values; nothing when there is none */
static int keep(lua_State *L)
{
  int count = lua_gettop(L);
  luaL_Buffer b;
  lua_newtable(L); /* the parts */
  for (int i = 1; i <= count; i++) {
    lua_pushvalue(L, i);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_pushliteral(L, "null");
    } else if (!host_json_encode(L)) {
      return 0;
    }
    lua_rawseti(L, count + 1, i);
  }
  luaL_buffinit(L, &b);
  luaL_addchar(&b, '[');
  for (int i = 1; i <= count; i++) {
    if (i > 1) luaL_addchar(&b, ',');
    lua_rawgeti(L, count + 1, i);
    luaL_addvalue(&b);
  }
  luaL_addchar(&b, ']');
  luaL_pushresult(&b);
  return 1;
}

/* take_globals(script): what the task loads, and the tasks that it spawns, have the same globals */
static int take_globals(lua_State *L)
{
  lua_pushthread(L);
  lua_getfenv(L, 1);
  lua_setfenv(L, -2);
  return 0;
}

void run_script_open(lua_State *L)
{
  static const char source[] = "local keep, take_globals = ...\n"
                               "return function(script)\n"
                               "  return function(...)\n"
                               "    take_globals(script)\n"
                               "    return keep(script(...))\n"
                               "  end\n"
                               "end\n";
  lua_pushlightuserdata(L, (void *)&wrap_key);
  if (luaL_loadbuffer(L, source, sizeof source - 1, "@lurcher/script.lua") != 0) lua_error(L);
  lua_pushcfunction(L, keep);
  lua_pushcfunction(L, take_globals);
  lua_call(L, 2, 1);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

/* ---- the start ---- */

/* Of the chunk on top of the stack. */
static void give_own_globals(lua_State *L)
{
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setfenv(L, -2);
}

/* Pushes the items of the JSON array; their number. */
static int push_arguments(lua_State *L, const lur_script *script)
{
  if (!script->arguments) return 0;
  if (host_json_decode(L, script->arguments, script->arguments_length) == 2) {
    lua_getfield(L, -1, "message");
    lua_pushfstring(L, "the arguments: %s", lua_tostring(L, -1));
    return lua_error(L);
  }
  const char *bracket = script->arguments + strspn(script->arguments, " \t\r\n");
  if (*bracket != '[') {
    lua_pushliteral(L, "the arguments are no JSON array");
    return lua_error(L);
  }
  int array = lua_gettop(L), count = (int)lua_objlen(L, array);
  if (count > MAX_ARGUMENTS) {
    lua_pushliteral(L, "there are more than 20000 arguments");
    return lua_error(L);
  }
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, array, i);
    if (!lua_islightuserdata(L, -1)) continue;
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  lua_remove(L, array);
  return count;
}

/* starting_script.prepare */
static int prepare(lua_State *L, starting_script *start)
{
  const lur_script *script = start->ud;
  if (script->own_globals && !task_is_confined(start->runtime)) give_own_globals(L);
  int chunk = lua_gettop(L);
  start->status = LUR_INVALID;
  int count = push_arguments(L, script);
  start->status = LUR_NO_MEMORY;
  lua_pushlightuserdata(L, (void *)&wrap_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushvalue(L, chunk);
  lua_call(L, 1, 1);
  lua_replace(L, chunk);
  return count;
}

lur_status lur_run_script(lur_runtime *rt, const lur_script *given, lur_task **task)
{
  if (task) *task = NULL;
  if (!rt || !given || !runtime_is_here(rt)) return LUR_INVALID;
  lur_script script = {0};
  if (given->size < offsetof(lur_script, arguments))
    return runtime_fail(rt, LUR_INVALID, "lur_script.size is too small");
  memcpy(&script, given, runtime_known_size(given->size, sizeof script));
  if (!script.arguments && script.arguments_length > 0)
    return runtime_fail(rt, LUR_INVALID, "arguments is NULL");
  if (!(script.max_seconds >= 0)) return runtime_fail(rt, LUR_INVALID, "max_seconds is negative, or none");
  starting_script start = {.chunkname = script.chunkname,
                           .source = script.source,
                           .length = script.length,
                           .prepare = prepare,
                           .ud = &script,
                           .max_seconds = script.max_seconds,
                           .result = script.done,
                           .done_ud = script.ud};
  return runtime_start(rt, &start, task);
}

static void on_script_due(timer *t)
{
  scope *s = container_of(t, scope, time_limit);
  limits_reach(s->runtime, s, LIMIT_TIME, NULL);
}

void run_script_started(scope *s)
{
  lur_runtime *rt = s->runtime;
  if (!(s->max_seconds > 0)) return;
  uint64_t due = loop_update_now(&rt->loop) + loop_nanoseconds(s->max_seconds);
  if (!clock_start(&rt->loop.real, &s->time_limit, due, on_script_due)) limits_reach(rt, s, LIMIT_TIME, NULL);
}

void *lur_task_ud(const lur_task *task)
{
  if (!task) return NULL;
  lur_runtime *rt = task->runtime;
  if (rt->reported && rt->reported->main == task) return rt->reported->ud;
  list_each (link, &rt->scripts) {
    scope *s = container_of(link, scope, script);
    if (s->main == task) return s->ud;
  }
  return NULL;
}

/* ---- the end ---- */

typedef struct {
  scope *script;
  lur_status status;
  buffer json, kind, message, error; /* each with a zero at its end */
} gathered;

/* The string on top of the stack (popped). */
static void take_text(lua_State *L, buffer *out)
{
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if (text && !buffer_append(out, text, length + 1)) buffer_free(out);
  lua_pop(L, 1);
}

/* The message on top of the stack (popped). A zero within it would be its end: it is shown as in reports. */
static void take_message(lua_State *L, buffer *out)
{
  size_t length;
  const char *text = lua_tolstring(L, -1, &length), *end = text + length, *zero;
  bool fine = text != NULL;
  for (; fine && (zero = memchr(text, 0, (size_t)(end - text))); text = zero + 1)
    fine = buffer_append(out, text, (size_t)(zero - text)) && buffer_append(out, "\\x00", 4);
  if (!fine || !buffer_append(out, text, (size_t)(end - text) + 1)) buffer_free(out);
  lua_pop(L, 1);
}

static void take_raw_field(lua_State *L, int table, const char *name, buffer *out)
{
  lua_pushstring(L, name);
  lua_rawget(L, table);
  take_text(L, out);
}

/* What was raised, at `index`. */
static void gather_error(lua_State *L, int index, gathered *g)
{
  if (errors_is(L, index)) {
    take_raw_field(L, index, "kind", &g->kind);
    lua_pushliteral(L, "message");
    lua_rawget(L, index);
    take_message(L, &g->message);
  } else {
    lua_pushvalue(L, index);
    if (lua_type(L, index) == LUA_TSTRING || report_ask(L, "text", 1)) take_message(L, &g->message);
  }
  if (!lua_istable(L, index)) return;
  lua_pushvalue(L, index);
  if (host_json_encode(L)) take_text(L, &g->error);
}

static int gather(lua_State *L)
{
  gathered *g = lua_touserdata(L, 1);
  scope *s = g->script;
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->failed ? s->failed_ref : s->main_ref);
  task_push_locals(L, -1, lua_touserdata(L, -1));
  if (g->status == LUR_OK) {
    lua_rawgeti(L, -1, 1);
    if (lua_type(L, -1) == LUA_TSTRING) take_text(L, &g->json);
  } else if (g->status == LUR_LIMIT) {
    return 0; /* what that raised on its way out is not why */
  } else if (s->failed || (s->main->status == TASK_CANCELED && g->status == LUR_CANCELED)) {
    lua_getfield(L, -1, "error");
    gather_error(L, lua_gettop(L), g);
  }
  return 0;
}

/* The report's first line. */
static void take_first_line(const char *report, buffer *out)
{
  size_t length = report ? strcspn(report, "\n") : 0;
  if (!buffer_append(out, report ? report : "", length) || !buffer_append(out, "", 1)) buffer_free(out);
}

/* Of what no task raised. */
static void add_missing(gathered *g, const char *report)
{
  if (g->message.bytes || g->status == LUR_OK) return;
  if (g->status == LUR_CANCELED) {
    static const char kind[] = "canceled";
    const char *why = g->script->why;
    error e;
    error_set(&e, ERROR_canceled, NULL, why ? "the task was cancelled: %s" : "the task was cancelled", why);
    if (!buffer_append(&g->kind, kind, sizeof kind)) buffer_free(&g->kind);
    take_first_line(e.message, &g->message);
  } else {
    take_first_line(report, &g->message);
  }
}

static const char *text_of(const buffer *b) { return b->bytes ? b->bytes : ""; }

static size_t length_of(const buffer *b) { return b->length ? b->length - 1 : 0; }

void run_script_tell(scope *s, lur_status status, const char *report)
{
  gathered g = {.script = s, .status = status};
  if (lua_cpcall(s->runtime->L, gather, &g) != 0) lua_pop(s->runtime->L, 1);
  add_missing(&g, report);
  lur_result result = {.size = sizeof result,
                       .status = status,
                       .report = report,
                       .json = g.json.bytes,
                       .json_length = length_of(&g.json),
                       .kind = text_of(&g.kind),
                       .message = text_of(&g.message),
                       .error_json = g.error.bytes,
                       .error_json_length = length_of(&g.error),
                       .limit = s->limit ? s->limit : ""};
  s->result(s->main, &result, s->ud);
  buffer_free(&g.json);
  buffer_free(&g.kind);
  buffer_free(&g.message);
  buffer_free(&g.error);
}
