/* lurcher.native.http: pools, profiles, header lists and transfers for the Lua policy layers.
 * What each function takes and gives is said where it is defined; scripts use lurcher.http. */
#include "script/http/http.h"

#include "net/transfer/transfer_summary.h"
#include "script/base/lua_error.h"
#include "script/runtime/run_budget.h"
#include "script/task/task.h"
#include "script/task/task_internal.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char network_key;

/* ---- handles ---- */

void *http_handle(lua_State *L, int index, http_tag tag)
{
  http_box *box = lua_touserdata(L, index);
  if (!box || lua_type(L, index) != LUA_TUSERDATA || lua_objlen(L, index) < sizeof *box || box->tag != tag ||
      !box->pointer)
    luaL_argerror(L, index, "not a handle of this kind, or a closed one");
  return box->pointer;
}

http_box *http_new_box(lua_State *L, http_tag tag, const char *metatable)
{
  http_box *box = lua_newuserdata(L, sizeof *box);
  *box = (http_box){.tag = tag};
  luaL_getmetatable(L, metatable);
  lua_setmetatable(L, -2);
  return box;
}

network *http_network(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&network_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  network **n = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return n ? *n : NULL;
}

/* A push that raises (memory) would leave the transfer it was about to nobody: so the network owns it
 * meanwhile. It is freed when the results were pushed, or else at the next request or with the network. */
static void take(network *n, transfer *t)
{
  transfer *left = n->taken;
  n->taken = t;
  if (t) operation_reset(&t->op); /* it keeps the loop running no longer */
  if (left) transfer_free(left);
}

static int network_gc(lua_State *L)
{
  network **n = lua_touserdata(L, 1);
  if (*n) {
    take(*n, NULL);
    network_unref(*n);
  }
  *n = NULL;
  return 0;
}

static void make_network(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&network_key);
  network **n = lua_newuserdata(L, sizeof *n);
  *n = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, network_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  *n = network_new(task_loop(L));
  if (!*n) luaL_error(L, "libcurl cannot be initialised");
  lua_rawset(L, LUA_REGISTRYINDEX);
  budget_watch_network(runtime_of(L), *n);
}

/* ---- headers ---- */

/* native.headers{ name, value, name, value, … } */
static int new_headers(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  http_box *box = http_new_box(L, HTTP_HEADERS, "lurcher.http.headers");
  header_list *list = box->pointer = header_list_new();
  int count = (int)lua_objlen(L, 1);
  for (int i = 1; list && i < count; i += 2) {
    size_t name_length, value_length;
    lua_rawgeti(L, 1, i);
    lua_rawgeti(L, 1, i + 1);
    const char *name = luaL_checklstring(L, -2, &name_length);
    const char *value = luaL_checklstring(L, -1, &value_length);
    if (!head_valid_name(name, name_length)) return luaL_error(L, "invalid header name");
    if (!head_valid_value(value, value_length)) return luaL_error(L, "invalid value of header '%s'", name);
    if (!header_list_add(list, name, name_length, value, value_length))
      return luaL_error(L, "not enough memory");
    lua_pop(L, 2);
  }
  return list ? 1 : luaL_error(L, "not enough memory");
}

static int headers_gc(lua_State *L)
{
  http_box *box = lua_touserdata(L, 1);
  header_list_unref(box->pointer);
  box->pointer = NULL;
  return 0;
}

/* ---- transfers ---- */

static void abandon_transfer(operation *op) { transfer_free(transfer_of(op)); }

static const operation_class transfer_class = {"request", abandon_transfer};

/* (pool, profile, method, url, headers, body, deadline, expect_continue, priority, label): a transfer set up,
 * or NULL and `e`. */
static transfer *make_transfer(lua_State *L, bool streaming, error *e)
{
  pool *p = http_handle(L, 1, HTTP_POOL);
  transfer_options *options = http_handle(L, 2, HTTP_PROFILE);
  size_t method_length, url_length;
  const char *method = luaL_checklstring(L, 3, &method_length);
  const char *target = luaL_checklstring(L, 4, &url_length);
  header_list *headers = http_handle(L, 5, HTTP_HEADERS);
  if (method_length >= TRANSFER_METHOD_SIZE || !head_valid_method(method, method_length))
    luaL_argerror(L, 3, "not a method");
  if (!lua_isnoneornil(L, 6)) luaL_checktype(L, 6, LUA_TSTRING);
  /* Nothing below can raise. */
  take(p->network, NULL);
  transfer *t = transfer_new(p, options, headers, task_clock(L));
  if (!t) {
    error_set(e, ERROR_limit, NULL, "out of memory");
    return NULL;
  }
  if (!url_parse(&t->target, target, url_length, e) || !url_require_http(&t->target, e)) {
    transfer_free(t);
    return NULL;
  }
  memcpy(t->method, method, method_length + 1);
  t->streaming = streaming;
  t->expect_continue = lua_toboolean(L, 8);
  t->admission.item.priority = (int8_t)lua_tointeger(L, 9);
  t->deadline = lua_isnumber(L, 7) ? loop_nanoseconds(lua_tonumber(L, 7)) : 0;
  if (lua_isstring(L, 6)) t->upload = lua_tolstring(L, 6, &t->upload_length);
  if (t->upload_length && streaming) { /* the string may go before the upload ends */
    t->upload = t->upload_copy = malloc(t->upload_length);
    if (!t->upload_copy) {
      error_set(e, ERROR_limit, NULL, "out of memory");
      transfer_free(t);
      return NULL;
    }
    memcpy(t->upload_copy, lua_tostring(L, 6), t->upload_length);
  }
  return t;
}

static int start(lua_State *L, bool streaming, task_results results)
{
  error e;
  transfer *t = make_transfer(L, streaming, &e);
  if (!t) return errors_return(L, &e);
  operation_begin(&t->op, &transfer_class, t->network->loop, true);
  transfer_start(t, lua_isstring(L, 10) ? lua_tostring(L, 10) : NULL);
  return task_wait(L, &t->op, results);
}

static void push_summary(lua_State *L, const transfer *t)
{
  transfer_summarize(lua_newuserdata(L, sizeof(transfer_summary)), t);
}

static void push_head(lua_State *L, const transfer *t)
{
  lua_pushlstring(L, t->head.block.bytes ? t->head.block.bytes : "", t->head.block.length);
}

static int push_failure(lua_State *L, const transfer *t)
{
  errors_return(L, t->failure);
  push_summary(L, t);
  return 3;
}

static int perform_results(lua_State *L, operation *op)
{
  transfer *t = transfer_of(op);
  network *n = t->network;
  int count = 5;
  take(n, t);
  if (t->failure) {
    count = push_failure(L, t);
  } else {
    lua_pushnumber(L, t->head.status);
    lua_pushlstring(L, t->body.all.length ? t->body.all.bytes : "", t->body.all.length);
    push_head(L, t);
    push_summary(L, t);
    lua_pushinteger(L, (lua_Integer)t->head.flags);
  }
  take(n, NULL);
  return count;
}

/* native.perform(pool, profile, method, url, headers, body, deadline, expect_continue, priority, label)
 * → status, body, head, info, flags (head_flags bits) | nil, err, info */
static int perform(lua_State *L) { return start(L, false, perform_results); }

static int open_results(lua_State *L, operation *op)
{
  transfer *t = transfer_of(op);
  network *n = t->network;
  take(n, t);
  if (t->failure && !t->head.complete) {
    int count = push_failure(L, t);
    take(n, NULL);
    return count;
  }
  lua_pushnumber(L, t->head.status);
  pool_answer_read(&t->admission);
  http_push_stream(L, t);
  n->taken = NULL; /* the stream owns it */
  push_head(L, t);
  push_summary(L, t);
  lua_pushinteger(L, (lua_Integer)t->head.flags);
  return 5;
}

/* native.open(the same) → status, stream, head, info, flags | nil, err, info: when the head is there */
static int open_stream(lua_State *L) { return start(L, true, open_results); }

/* ---- opaque results ---- */

typedef struct {
  const char *name;
  double value;
} number_field_of;

static void set_numbers(lua_State *L, const number_field_of *fields, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    lua_pushnumber(L, fields[i].value);
    lua_setfield(L, -2, fields[i].name);
  }
}

static double seconds_between(uint64_t from, uint64_t to)
{
  return from && to > from ? (double)(to - from) / NANOSECONDS : 0;
}

static void push_timings(lua_State *L, const transfer_summary *o)
{
  const transfer_times *t = &o->times;
  number_field_of fields[] = {
      {"queue", seconds_between(t->queued, t->dispatched ? t->dispatched : o->at)},
      {"rate", (double)o->rate_wait / NANOSECONDS},
      {"dns", (double)t->dns / NANOSECONDS},
      {"connect", (double)t->connect / NANOSECONDS},
      {"tls", (double)t->tls / NANOSECONDS},
      {"first_byte", seconds_between(t->dispatched, t->first_byte)},
      {"total", seconds_between(t->dispatched, o->at)},
  };
  lua_createtable(L, 0, 7);
  set_numbers(L, fields, sizeof fields / sizeof *fields);
}

void http_push_info(lua_State *L, const transfer_summary *o)
{
  number_field_of fields[] = {
      {"bytes_received", (double)o->bytes_received},
      {"bytes_sent", (double)o->bytes_sent},
      {"dispatched", (double)o->times.dispatched / NANOSECONDS},
      {"ended", (double)o->at / NANOSECONDS},
      {"elapsed", seconds_between(o->times.dispatched, o->at)},
  };
  lua_createtable(L, 0, 10);
  set_numbers(L, fields, sizeof fields / sizeof *fields);
  push_timings(L, o);
  lua_setfield(L, -2, "timings");
  lua_pushstring(L, o->version == 20 ? "2" : o->version == 10 ? "1.0" : o->version ? "1.1" : NULL);
  lua_setfield(L, -2, "http_version");
  lua_pushstring(L, o->reason);
  lua_setfield(L, -2, "reason");
  lua_pushboolean(L, o->reused);
  lua_setfield(L, -2, "reused");
  if (!o->remote_address[0]) return;
  bool is_path = strchr(o->remote_address, '/'); /* of a Unix socket */
  lua_pushfstring(L,
                  is_path                          ? "%s"
                  : strchr(o->remote_address, ':') ? "[%s]:%d"
                                                   : "%s:%d",
                  o->remote_address, o->remote_port);
  lua_setfield(L, -2, "remote_address");
}

/* native.info(info) → table, see http_push_info */
static int info(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TUSERDATA);
  luaL_argcheck(L, lua_objlen(L, 1) == sizeof(transfer_summary), 1, "not what perform gave");
  http_push_info(L, lua_touserdata(L, 1));
  return 1;
}

/* native.head_get(head, name) → the first value, or nil */
static int head_get(lua_State *L)
{
  size_t length, name_length, value_length;
  const char *block = luaL_checklstring(L, 1, &length), *value;
  const char *name = luaL_checklstring(L, 2, &name_length);
  if (!head_find(block, length, name, name_length, &value, &value_length)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushlstring(L, value, value_length);
  return 1;
}

/* native.head_next(head, offset) → next offset, name, value; or nothing */
static int head_step(lua_State *L)
{
  size_t length, name_length, value_length;
  const char *block = luaL_checklstring(L, 1, &length), *name, *value;
  double offset = luaL_checknumber(L, 2);
  luaL_argcheck(L, offset >= 0 && offset <= (double)length, 2, "not an offset");
  size_t next = head_next(block, length, (size_t)offset, &name, &name_length, &value, &value_length);
  if (!next) return 0;
  lua_pushnumber(L, (double)next);
  lua_pushlstring(L, name, name_length);
  lua_pushlstring(L, value, value_length);
  return 3;
}

/* Calls `add` for each value of the header named at stack index 2. */
static int each_value(lua_State *L, void (*add)(lua_State *L, int nth, const char *value, size_t length))
{
  size_t length, wanted_length, name_length, value_length, offset = 0;
  const char *block = luaL_checklstring(L, 1, &length), *name, *value;
  const char *wanted = luaL_checklstring(L, 2, &wanted_length);
  int count = 0;
  while ((offset = head_next(block, length, offset, &name, &name_length, &value, &value_length)))
    if (name_length == wanted_length && !strncasecmp(name, wanted, wanted_length))
      add(L, ++count, value, value_length);
  return count;
}

static void add_to_list(lua_State *L, int nth, const char *value, size_t length)
{
  lua_pushlstring(L, value, length);
  lua_rawseti(L, 3, nth);
}

/* native.head_list(head, name) → list of values */
static int head_list(lua_State *L)
{
  lua_settop(L, 2);
  lua_newtable(L);
  each_value(L, add_to_list);
  return 1;
}

/* native.head_join(head, name) → values joined by ", ", or nil */
static int head_join(lua_State *L)
{
  int count = head_list(L);
  lua_pushnil(L);
  if (lua_objlen(L, 3) == 0) return count;
  luaL_Buffer joined;
  int values = (int)lua_objlen(L, 3);
  luaL_buffinit(L, &joined);
  for (int i = 1; i <= values; i++) {
    if (i > 1) luaL_addlstring(&joined, ", ", 2);
    lua_rawgeti(L, 3, i);
    luaL_addvalue(&joined);
  }
  luaL_pushresult(&joined);
  return 1;
}

/* native.now() → monotonic seconds, as used for deadlines */
static int now(lua_State *L)
{
  lua_pushnumber(L, (double)clock_now(task_clock(L)) / NANOSECONDS);
  return 1;
}

/* ---- module ---- */

void http_make_metatable(lua_State *L, const char *name, lua_CFunction gc, const luaL_Reg *methods)
{
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  if (methods) luaL_register(L, NULL, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

int luaopen_lurcher_native_http(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"pool", http_new_pool},
      {"profile", http_new_profile},
      {"headers", new_headers},
      {"info", info},
      {"head_get", head_get},
      {"head_next", head_step},
      {"head_list", head_list},
      {"head_join", head_join},
      {"now", now},
      {NULL, NULL},
  };
  if (!http_network(L)) make_network(L); /* the module may be loaded again, as busted does for each file */
  http_register_pool(L);
  http_make_metatable(L, "lurcher.http.headers", headers_gc, NULL);
  http_make_metatable(L, "lurcher.profile", http_profile_gc, NULL);
  http_register_stream(L);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  task_set_blocking(L, -1, "perform", perform);
  task_set_blocking(L, -1, "open", open_stream);
  return 1;
}
