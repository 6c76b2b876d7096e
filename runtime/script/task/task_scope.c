#include "script/task/task_scope.h"

#include "script/task/task_anchor.h"
#include "script/task/task_cancel.h"
#include "script/task/task_park.h"
#include "script/task/task_report.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

const operation_class task_scope_wait = {"the tasks of a scope", NULL};

scope *scope_new(lur_runtime *rt)
{
  scope *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->runtime = rt;
  list_init(&s->children);
  s->references = 1;
  s->failed_ref = s->main_ref = s->chunk_ref = LUA_NOREF;
  return s;
}

void scope_unref(scope *s)
{
  if (--s->references > 0) return;
  luaL_unref(s->runtime->L, LUA_REGISTRYINDEX, s->failed_ref);
  luaL_unref(s->runtime->L, LUA_REGISTRYINDEX, s->main_ref);
  luaL_unref(s->runtime->L, LUA_REGISTRYINDEX, s->chunk_ref);
  free(s->why);
  free(s->failure);
  free(s);
}

void scope_add(scope *s, lur_task *t)
{
  t->scope = s;
  s->references++;
  s->count++;
  list_prepend(&s->children, &t->sibling);
}

void scope_cancel(scope *s, const char *why)
{
  if (s->cancelled) return;
  s->cancelled = true;
  list_each (link, &s->children) task_cancel(container_of(link, lur_task, sibling), why);
}

static int keep_failed(lua_State *L)
{
  lur_task *t = lua_touserdata(L, 1);
  task_push(L, t);
  t->scope->failed_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static int log_report(lua_State *L)
{
  task_push(L, lua_touserdata(L, 1));
  report_push(L, 2);
  lur_runtime *rt = runtime_of(L);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  if (rt->options.log) rt->options.log(LUR_LOG_ERROR, text, length, rt->options.ud);
  return 0;
}

/* Pushes the error of a failed task. */
static void push_error_of(lua_State *L)
{
  task_push_locals(L, -1, lua_touserdata(L, -1));
  lua_getfield(L, -1, "error");
}

/* What raises on what failed first, after it joined that, has nothing new to tell. */
static bool is_known(lua_State *L, const scope *s)
{
  if (!s->failed) return false;
  int top = lua_gettop(L);
  push_error_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->failed_ref);
  push_error_of(L);
  bool known = lua_rawequal(L, -1, top + 2);
  lua_settop(L, top);
  return known;
}

static int tell_failed(lua_State *L)
{
  lur_task *t = lua_touserdata(L, 1);
  task_push(L, t);
  if (!is_known(L, t->scope)) report_ask(L, "tell", 1);
  return 0;
}

/* A task failed whose error its scope does not raise. When it was being cancelled, for which it is not to
 * blame, nobody else may ever hear of it. */
static void hide_failure(lur_task *t)
{
  if (!t->stop || !t->raised || t->joined) return;
  if (lua_cpcall(t->runtime->L, tell_failed, t) != 0) lua_pop(t->runtime->L, 1);
}

static void child_failed(scope *s, lur_task *t)
{
  if (s == s->runtime->daemons) { /* no task waits for these: log it */
    if (lua_cpcall(s->runtime->L, log_report, t) != 0) lua_pop(s->runtime->L, 1);
    return;
  }
  if (s->failed || s->out_of_memory || s->settled || t->isolated) {
    hide_failure(t);
    return;
  }
  if (lua_cpcall(s->runtime->L, keep_failed, t) == 0) {
    s->failed = t;
  } else {
    lua_pop(s->runtime->L, 1);
    s->out_of_memory = true;
  }
  scope_cancel(s, NULL);
}

void scope_child_ended(scope *s, lur_task *t)
{
  if (t->status == TASK_FAILED) child_failed(s, t);
  list_remove(&t->sibling);
  t->scope = NULL;
  s->count--;
  if (s->room_waiter && s->count <= s->room) {
    task_wake(s->room_waiter);
    s->room_waiter = NULL;
  }
  if (s->count > 0) return;
  if (s->owner) {
    task_wake(s->owner);
    s->owner = NULL;
  }
  if (s == s->runtime->daemons) s->cancelled = false;
  if (s->is_script) s->runtime->on_script_ended(s);
}

void scope_cancel_scripts(lur_runtime *rt, const char *why)
{
  list_each (link, &rt->scripts) {
    scope *s = container_of(link, scope, script);
    if (!s->cancelled) s->host_cancelled = true;
    scope_cancel(s, why);
  }
}
