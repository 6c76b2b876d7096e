/* What the host offers to scripts: require("host"). And what it has done on the loop's thread. */
#include "script/host/host_call.h"
#include "script/host/host_values.h"
#include "script/task/task_owner.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *name; /* "db.query" */
  host_function function;
  const char *json; /* NULL: a function */
  size_t length;
  const char *wrong;
} offered;

/* The registry's table of names: true for a value, false for a table of values. */
static const char names_key;

static void push_names(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&names_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Pushes the module. */
static void push_module(lua_State *L)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.host");
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, "lurcher.host");
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "host");
  lua_pop(L, 1);
  lua_pushlightuserdata(L, (void *)&names_key);
  lua_newtable(L);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

typedef enum { NAME_FREE, NAME_VALUE, NAME_TABLE } name_use;

/* What the first `length` bytes of a name are. */
static name_use use_of(lua_State *L, const char *name, size_t length)
{
  push_names(L);
  lua_pushlstring(L, name, length);
  lua_rawget(L, -2);
  name_use use = lua_isnil(L, -1) ? NAME_FREE : lua_toboolean(L, -1) ? NAME_VALUE : NAME_TABLE;
  lua_pop(L, 2);
  return use;
}

static void note_use(lua_State *L, const char *name, size_t length, bool is_value)
{
  push_names(L);
  lua_pushlstring(L, name, length);
  lua_pushboolean(L, is_value);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

static bool clashes(lua_State *L, const char *name)
{
  for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.'))
    if (use_of(L, name, (size_t)(dot - name)) == NAME_VALUE) return true;
  return use_of(L, name, strlen(name)) == NAME_TABLE;
}

/* Pushes the table that the last part of the name goes into, and returns that part. */
static const char *push_place(lua_State *L, const char *name)
{
  const char *part = name;
  push_module(L);
  for (const char *dot; (dot = strchr(part, '.')); part = dot + 1) {
    lua_pushlstring(L, part, (size_t)(dot - part));
    if (use_of(L, name, (size_t)(dot - name)) == NAME_FREE) {
      lua_pushvalue(L, -1);
      lua_newtable(L);
      lua_rawset(L, -4);
      note_use(L, name, (size_t)(dot - name), false);
    }
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (!lua_istable(L, -1)) luaL_error(L, "a script has replaced the host's tables");
  }
  return part;
}

static void push_function(lua_State *L, const offered *o)
{
  host_function *function = lua_newuserdata(L, sizeof *function);
  *function = o->function;
  lua_pushcclosure(L, host_call_start, 1);
  task_make_blocking(L);
}

static int offer(lua_State *L)
{
  offered *o = lua_touserdata(L, 1);
  push_module(L);
  if (clashes(L, o->name)) {
    o->wrong = "the name clashes with another: one would be in the other";
    return 0;
  }
  if (!o->json) {
    push_function(L, o);
  } else if (host_json_decode(L, o->json, o->length) == 2) {
    lua_getfield(L, -1, "message");
    o->wrong = "the JSON does not parse";
    return lua_error(L);
  } else if (lua_touserdata(L, -1) == NULL && lua_islightuserdata(L, -1)) {
    lua_pushnil(L); /* null */
  }
  int value = lua_gettop(L);
  const char *part = push_place(L, o->name);
  lua_pushstring(L, part);
  lua_pushvalue(L, value);
  lua_rawset(L, -3);
  note_use(L, o->name, strlen(o->name), true);
  return 0;
}

/* Parts that are not empty, with dots between. */
static bool is_name(const char *name)
{
  if (!name || !*name || *name == '.' || strstr(name, "..")) return false;
  return name[strlen(name) - 1] != '.';
}

static lur_status offer_it(lur_runtime *rt, offered *o)
{
  if (!is_name(o->name)) o->wrong = "the name must be parts with dots between them, none of them empty";
  if (rt->closing) o->wrong = "the runtime is being closed";
  if (o->wrong) return runtime_fail(rt, LUR_INVALID, o->wrong);
  int failed = lua_cpcall(rt->L, offer, o);
  if (!failed) return o->wrong ? runtime_fail(rt, LUR_INVALID, o->wrong) : LUR_OK;
  const char *message = lua_tostring(rt->L, -1);
  lur_status status = failed == LUA_ERRMEM ? LUR_NO_MEMORY : o->wrong ? LUR_INVALID : LUR_FAILED;
  runtime_fail(rt, status, message ? message : "not enough memory");
  lua_pop(rt->L, 1);
  return status;
}

lur_status lur_register(lur_runtime *rt, const char *name, lur_host_fn fn, void *ud)
{
  if (!rt || !runtime_is_here(rt)) return LUR_INVALID;
  offered o = {.name = name, .function = {fn, ud}, .wrong = fn ? NULL : "the function is NULL"};
  return offer_it(rt, &o);
}

lur_status lur_set_json(lur_runtime *rt, const char *name, const char *json, size_t length)
{
  if (!rt || !runtime_is_here(rt)) return LUR_INVALID;
  offered o = {.name = name, .json = json, .length = length, .wrong = json ? NULL : "the JSON is NULL"};
  return offer_it(rt, &o);
}

/* ---- posts ---- */

typedef struct {
  mail mail;
  lur_runtime *runtime;
  void (*fn)(lur_runtime *runtime, void *ud);
  void (*release)(void *ud);
  void *ud;
} post;

static void on_drop_post(mail *m)
{
  post *p = container_of(m, post, mail);
  if (p->release) p->release(p->ud);
  free(p);
}

static void on_post(mail *m)
{
  post *p = container_of(m, post, mail);
  p->fn(p->runtime, p->ud);
  on_drop_post(m);
}

lur_status lur_post(lur_runtime *rt, void (*fn)(lur_runtime *, void *), void (*release)(void *), void *ud)
{
  if (!rt || !fn) return LUR_INVALID;
  post *p = malloc(sizeof *p);
  if (!p) return LUR_NO_MEMORY;
  *p = (post){{.arrive = on_post, .drop = on_drop_post}, rt, fn, release, ud};
  if (mailbox_post(rt->mailbox, &p->mail)) return LUR_OK;
  free(p);
  return LUR_INVALID;
}
