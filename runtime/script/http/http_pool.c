/* Pools: the limits of a client, and what is known of the origins that it talks to. URLs given here are
 * canonical ones. */
#include "script/http/http_pool.h"

#include "net/pool/pool.h"
#include "net/pool/pool_idle.h"
#include "script/base/lua_error.h"
#include "script/base/lua_fields.h"
#include "script/bind/bind_limiter.h"
#include "script/http/http_handle.h"
#include "script/http/http_network.h"

#include <string.h>

static bool is_auto(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  bool found = lua_type(L, -1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "auto");
  lua_pop(L, 1);
  return found;
}

/* A field that holds what lurcher.native.limiter made; NULL: none. It stays alive as long as the table. */
static limiter *limiter_field(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  limiter *l = lua_isnil(L, -1) ? NULL : limiter_check(L, -1);
  lua_pop(L, 1);
  return l;
}

static int pool_gc(lua_State *L)
{
  http_box *box = lua_touserdata(L, 1);
  pool_unref(box->pointer);
  box->pointer = NULL;
  return 0;
}

static int pool_stats(lua_State *L)
{
  const pool *p = http_handle(L, 1, HTTP_POOL);
  const named_number numbers[] = {{"in_flight", (double)p->in_flight},
                                  {"waiting", (double)p->waiting},
                                  {"connections", (double)pool_connections(p)},
                                  {"origins", (double)p->origins.count},
                                  {"requests", (double)p->started}};
  lua_createtable(L, 0, 5);
  field_set_numbers(L, numbers, sizeof numbers / sizeof *numbers);
  return 1;
}

static int close_pool(lua_State *L)
{
  pool_close(http_handle(L, 1, HTTP_POOL));
  return 0;
}

/* ---- one origin ---- */

/* The URL at stack index 2. */
static void check_url(lua_State *L, url *u)
{
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  error e;
  *u = (url){0};
  if (url_parse(u, text, length, &e) && url_require_http(u, &e)) return;
  url_free(u);
  luaL_argerror(L, 2, e.message);
}

/* What goes on at the origin at stack index 2. */
static pool_flow look(lua_State *L)
{
  pool *p = http_handle(L, 1, HTTP_POOL);
  url u;
  pool_flow flow;
  check_url(L, &u);
  bool found = pool_look(p, &u, &flow);
  url_free(&u);
  if (!found) luaL_error(L, "not enough memory");
  return flow;
}

/* The throttle of the origin at stack index 2. */
static throttle *check_throttle(lua_State *L)
{
  pool *p = http_handle(L, 1, HTTP_POOL);
  url u;
  check_url(L, &u);
  throttle *g = pool_throttle(p, &u);
  url_free(&u);
  if (!g) luaL_error(L, "not enough memory");
  return g;
}

/* pool:hold(url, seconds [, why [, age]]) → whether that changes anything: no request of that origin starts
 * before then. 0 ends it; else an end that is later already stays. `why` is for messages: "held by WHY for 3
 * s more". */
static int hold(lua_State *L)
{
  pool *p = http_handle(L, 1, HTTP_POOL);
  double seconds = luaL_checknumber(L, 3);
  const char *why = luaL_optstring(L, 4, "the server");
  uint64_t age = loop_nanoseconds(luaL_optnumber(L, 5, 0));
  url u;
  bool news;
  check_url(L, &u);
  bool well = pool_hold(p, &u, seconds, why, age, &news);
  url_free(&u);
  if (!well) return luaL_error(L, "not enough memory");
  lua_pushboolean(L, news);
  return 1;
}

/* pool:hold_unasked(url, age, patience, others) → seconds or nil, whether all wait, and from now on: see
 * throttle_hold_unasked; `age` as for slow_down */
static int hold_unasked(lua_State *L)
{
  uint64_t age = loop_nanoseconds(luaL_checknumber(L, 3));
  throttle *t = check_throttle(L);
  bool others = lua_toboolean(L, 5) || look(L).waiting > 0;
  unasked_wait wait = throttle_hold_unasked(t, age, others, luaL_checknumber(L, 4));
  if (wait.seconds <= 0) return 0;
  lua_pushnumber(L, wait.seconds);
  lua_pushboolean(L, wait.all);
  lua_pushboolean(L, wait.is_new);
  return 3;
}

/* pool:quota(url, patience, remaining, reset [, limit [, window]]) → whether the next request has to wait:
 * see throttle_set_quota */
static int quota(lua_State *L)
{
  double patience = luaL_checknumber(L, 3);
  throttle_quota said = {.remaining = luaL_checknumber(L, 4),
                         .reset = luaL_checknumber(L, 5),
                         .limit = luaL_optnumber(L, 6, 0),
                         .window = luaL_optnumber(L, 7, 0)};
  lua_pushboolean(L, throttle_set_quota(check_throttle(L), &said, patience));
  return 1;
}

/* pool:slow_down(url, age) → whether the origin's rate was cut; `age`: seconds since the request started that
 * was refused */
static int slow_down(lua_State *L)
{
  uint64_t age = loop_nanoseconds(luaL_checknumber(L, 3));
  lua_pushboolean(L, throttle_slow_down(check_throttle(L), age));
  return 1;
}

/* pool:refuse_waiting(url, kind, message): ends the requests that wait for that origin; they were not sent */
static int refuse_waiting(lua_State *L)
{
  pool *p = http_handle(L, 1, HTTP_POOL);
  const char *kind = luaL_checkstring(L, 3), *message = luaL_checkstring(L, 4);
  error e;
  error_set(&e, error_kind_of(kind), NULL, "%s", message);
  e.retry_safe = true;
  luaL_argcheck(L, e.kind < ERROR_KIND_COUNT, 3, "not an error kind");
  url u;
  check_url(L, &u);
  pool_end_waiting_at(p, &u, &e);
  url_free(&u);
  return 0;
}

/* pool:flow(url) → { in_flight=, waiting=, held=seconds, and where there is such a limit: per_origin=, rate=,
 * learned_rate=, quota= } */
static int flow(lua_State *L)
{
  const pool *p = http_handle(L, 1, HTTP_POOL);
  pool_flow flow = look(L);
  double learned = throttle_learned_rate(flow.throttle), left = throttle_quota_left(flow.throttle);
  lua_createtable(L, 0, 8);
  field_set_number(L, "in_flight", (double)flow.in_flight);
  field_set_number(L, "waiting", (double)flow.waiting);
  field_set_number(L, "held", throttle_held(flow.throttle));
  if (flow.slots != SIZE_MAX) field_set_number(L, "per_origin", (double)flow.slots);
  if (p->limits.rate > 0) field_set_number(L, "rate", p->limits.rate);
  if (learned > 0) field_set_number(L, "learned_rate", learned);
  if (left >= 0) field_set_number(L, "quota", left);
  return 1;
}

static void pool_class(lua_State *L, const char *name)
{
  static const luaL_Reg methods[] = {
      {"stats", pool_stats},
      {"close", close_pool},
      {"hold", hold},
      {"hold_unasked", hold_unasked},
      {"quota", quota},
      {"slow_down", slow_down},
      {"refuse_waiting", refuse_waiting},
      {"flow", flow},
      {NULL, NULL},
  };
  http_make_metatable(L, name, pool_gc, methods, NULL);
}

/* native.pool{inflight=, per_origin=number or "auto", idle=, idle_timeout=, rate=, burst=, limiter=} */
int http_new_pool(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  double burst = field_number(L, 1, "burst");
  pool_limits limits = {
      .inflight = field_size(L, 1, "inflight", SIZE_MAX),
      .per_origin = field_size(L, 1, "per_origin", SIZE_MAX),
      .adaptive = is_auto(L, "per_origin"),
      .idle = field_size(L, 1, "idle", SIZE_MAX),
      .idle_timeout = loop_nanoseconds(field_number(L, 1, "idle_timeout")),
      .rate = field_number(L, 1, "rate"),
      .burst = burst >= 1 ? burst : 1,
      .limiter = limiter_field(L, "limiter"),
  };
  http_box *box = http_new_box(L, HTTP_POOL, "lurcher.pool", pool_class);
  box->pointer = pool_new(http_network(L), &limits);
  if (!box->pointer) return luaL_error(L, "not enough memory");
  return 1;
}
