#include "script/http/http_network.h"

#include "script/task/task.h"
#include "script/task/task_permit.h"

#include <lauxlib.h>

typedef struct {
  network *network;
  transfer *kept; /* its results are being pushed */
} http_state;

static const char state_key, watch_key; /* in the registry */

static void *registered(lua_State *L, const char *key)
{
  lua_pushlightuserdata(L, (void *)key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  void *found = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return found;
}

network *http_network(lua_State *L)
{
  const http_state *s = registered(L, &state_key);
  return s ? s->network : NULL;
}

static void keep(http_state *s, transfer *t)
{
  transfer *left = s->kept;
  s->kept = t;
  if (t) operation_reset(&t->op); /* it keeps the loop running no longer */
  if (left) transfer_free(left);
}

void http_network_keep(network *n, transfer *t) { keep(n->user, t); }

void http_network_release(network *n)
{
  http_state *s = n->user;
  s->kept = NULL;
}

static int collect(lua_State *L)
{
  http_state *s = lua_touserdata(L, 1);
  if (s->network) {
    keep(s, NULL);
    network_unref(s->network);
  }
  s->network = NULL;
  return 0;
}

void http_network_set_watch(lua_State *L, const http_network_watch *watch)
{
  lua_pushlightuserdata(L, (void *)&watch_key);
  lua_pushlightuserdata(L, (void *)watch);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

void http_network_open(lua_State *L)
{
  if (http_network(L)) return;
  lua_pushlightuserdata(L, (void *)&state_key);
  http_state *s = lua_newuserdata(L, sizeof *s);
  *s = (http_state){0};
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  s->network = network_new(task_loop(L));
  if (!s->network) {
    luaL_error(L, "libcurl cannot be initialised: %s", network_failure());
    return;
  }
  s->network->user = s;
  s->network->permit = task_permit(L);
  lua_rawset(L, LUA_REGISTRYINDEX);
  const http_network_watch *watch = registered(L, &watch_key);
  if (watch) watch->made(http_network(L), watch->user);
}
