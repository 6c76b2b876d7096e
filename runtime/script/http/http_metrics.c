/* lurcher.native.metrics: what was counted of all requests, as tables. Names and forms that users see are
 * made of them by lua/lurcher/metrics.lua. */
#include "net/pool/metrics.h"
#include "script/base/lua_fields.h"
#include "script/http/http_network.h"

#include <lauxlib.h>
#include <string.h>

int luaopen_lurcher_native_metrics(lua_State *L);

static double seconds(uint64_t nanoseconds) { return (double)nanoseconds / NANOSECONDS; }

/* A histogram of microseconds as { count, sum, min, max, p50, p95, p99, at_most = { … } }, in seconds;
 * at_most has a count for each number in the list at `bounds`. */
static void push_histogram(lua_State *L, const histogram *h, int bounds)
{
  lua_createtable(L, 0, 8);
  field_set_number(L, "count", (double)h->count);
  field_set_number(L, "sum", (double)h->sum / 1e6);
  field_set_number(L, "min", (double)h->min / 1e6);
  field_set_number(L, "max", (double)h->max / 1e6);
  field_set_number(L, "p50", histogram_quantile(h, 0.5) / 1e6);
  field_set_number(L, "p95", histogram_quantile(h, 0.95) / 1e6);
  field_set_number(L, "p99", histogram_quantile(h, 0.99) / 1e6);
  int count = (int)lua_objlen(L, bounds);
  lua_createtable(L, count, 0);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, bounds, i);
    uint64_t at_most = histogram_at_most(h, lua_tonumber(L, -1) * 1e6);
    lua_pop(L, 1);
    lua_pushnumber(L, (double)at_most);
    lua_rawseti(L, -2, i);
  }
  lua_setfield(L, -2, "at_most");
}

/* { ["200"] = count, … } */
static void push_statuses(lua_State *L, const metrics_series *s)
{
  lua_newtable(L);
  for (size_t i = 0; i < METRICS_STATUSES && s->statuses[i].count; i++) {
    lua_pushfstring(L, "%d", s->statuses[i].status);
    lua_pushnumber(L, (double)s->statuses[i].count);
    lua_rawset(L, -3);
  }
  if (s->other_statuses) field_set_number(L, "other", (double)s->other_statuses);
}

/* { timeout = count, … } */
static void push_errors(lua_State *L, const metrics_series *s)
{
  lua_newtable(L);
  for (int kind = 0; kind < ERROR_KIND_COUNT; kind++)
    if (s->errors[kind]) field_set_number(L, error_kind_name((error_kind)kind), (double)s->errors[kind]);
}

/* { retry = { count, seconds }, … } */
static void push_events(lua_State *L, const metrics_series *s)
{
  lua_newtable(L);
  for (size_t i = 0; i < METRICS_EVENTS && s->events[i].count; i++) {
    lua_createtable(L, 0, 2);
    field_set_number(L, "count", (double)s->events[i].count);
    field_set_number(L, "seconds", s->events[i].seconds);
    lua_setfield(L, -2, s->events[i].what);
  }
}

static void push_series(lua_State *L, const metrics_series *s, int bounds)
{
  const named_number numbers[] = {{"waiting", (double)s->waiting},
                                  {"in_flight", (double)s->running},
                                  {"requests", (double)s->attempts},
                                  {"bytes_received", (double)s->bytes_received},
                                  {"bytes_sent", (double)s->bytes_sent},
                                  {"connections_made", (double)s->connections_made},
                                  {"connections_reused", (double)s->connections_reused},
                                  {"http2_connections", (double)s->http2_connections},
                                  {"http2_streams", (double)s->http2_streams},
                                  {"http2_most", (double)s->http2_most},
                                  {"slot_wait", seconds(s->slot_wait)},
                                  {"rate_wait", seconds(s->rate_wait)}};
  lua_createtable(L, 0, 19);
  field_set_string(L, "name", s->label);
  field_set_string(L, "origin", s->origin);
  field_set_numbers(L, numbers, sizeof numbers / sizeof *numbers);
  push_statuses(L, s);
  lua_setfield(L, -2, "statuses");
  push_errors(L, s);
  lua_setfield(L, -2, "errors");
  push_events(L, s);
  lua_setfield(L, -2, "events");
  push_histogram(L, &s->duration, bounds);
  lua_setfield(L, -2, "duration");
  push_histogram(L, &s->first_byte, bounds);
  lua_setfield(L, -2, "first_byte");
}

/* series(bounds) → a list of tables, in the order they were met first */
static int list_series(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  const metrics *m = &http_network(L)->metrics;
  lua_createtable(L, (int)m->table.count, 0);
  int nth = 0;
  for (const metrics_series *s = m->first; s; s = s->next) {
    push_series(L, s, 1);
    lua_rawseti(L, -2, ++nth);
  }
  return 1;
}

/* spread(bounds) → the durations and the times of the first byte of all series together */
static int spread(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  histogram *all = lua_newuserdata(L, 2 * sizeof *all);
  all[0] = all[1] = (histogram){0};
  for (const metrics_series *s = http_network(L)->metrics.first; s; s = s->next) {
    histogram_add(&all[0], &s->duration);
    histogram_add(&all[1], &s->first_byte);
  }
  push_histogram(L, &all[0], 1);
  push_histogram(L, &all[1], 1);
  return 2;
}

/* The series of the URL and label that are arguments 1 and 2 (may be nil), or NULL. */
static metrics_series *series_of_request(lua_State *L)
{
  size_t length;
  const char *address = luaL_checklstring(L, 1, &length), *label = luaL_optstring(L, 2, "");
  metrics_series *s = NULL;
  url target = {0};
  error e;
  if (url_parse(&target, address, length, &e))
    s = metrics_find_url(&http_network(L)->metrics, label, &target);
  url_free(&target);
  return s;
}

/* event(url, label, what, seconds): a layer decided something about a request */
static int event(lua_State *L)
{
  const char *what = luaL_checkstring(L, 3);
  double waited = luaL_checknumber(L, 4);
  metrics_series *s = series_of_request(L);
  if (s) metrics_count_event(s, what, waited);
  return 0;
}

/* refused(url, label, kind): a layer refused an attempt, which therefore did not reach the network */
static int refused(lua_State *L)
{
  const char *name = luaL_checkstring(L, 3);
  metrics_series *s = series_of_request(L);
  for (int kind = 0; s && kind < ERROR_KIND_COUNT; kind++)
    if (!strcmp(error_kind_name((error_kind)kind), name)) metrics_count_refusal(s, (error_kind)kind);
  return 0;
}

int luaopen_lurcher_native_metrics(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"series", list_series}, {"spread", spread}, {"event", event}, {"refused", refused}, {NULL, NULL}};
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.require"); /* makes the network */
  lua_pushliteral(L, "lurcher.native.http");
  lua_call(L, 1, 0);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  return 1;
}
