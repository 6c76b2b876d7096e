/* lurcher.native.http: pools, profiles, header lists and transfers for the Lua policy layers.
 * What each function takes and gives is said where it is defined; scripts use lurcher.http. */
#include "net/transfer/transfer_permit.h"
#include "net/transfer/transfer_summary.h"
#include "script/base/lua_error.h"
#include "script/http/http_handle.h"
#include "script/http/http_headers.h"
#include "script/http/http_info.h"
#include "script/http/http_network.h"
#include "script/http/http_options.h"
#include "script/http/http_played.h"
#include "script/http/http_pool.h"
#include "script/http/http_stream.h"
#include "script/http/http_tape.h"
#include "script/http/http_upload.h"
#include "script/task/task.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static void abandon_transfer(operation *op) { transfer_free(transfer_of(op)); }

static const operation_class transfer_class = {"request", abandon_transfer};

/* The statuses of responses that may not be for the script, as a set: nil or a string of 1,000 bits. */
static const unsigned char *check_statuses(lua_State *L, int index)
{
  size_t length = 0;
  const char *set = luaL_optlstring(L, index, NULL, &length);
  luaL_argcheck(L, !set || length == TRANSFER_STATUSES / 8, index, "not a set of statuses");
  return (const unsigned char *)set;
}

/* The body at index 6: nil, a string or what native.upload made. Cannot raise for what has passed
 * http_check_upload. False: out of memory. */
static bool set_upload(lua_State *L, transfer *t, bool keeps)
{
  size_t length;
  if (lua_isnoneornil(L, 6)) return true;
  if (!lua_isstring(L, 6)) {
    upload_ref(t->request.upload = http_handle(L, 6, HTTP_UPLOAD));
    return true;
  }
  const char *bytes = lua_tolstring(L, 6, &length);
  t->request.upload = upload_of_bytes(bytes, length, t->pool->network->loop);
  /* the string may go before the upload ends */
  return t->request.upload && (!keeps || upload_keep(t->request.upload));
}

static void set_progress(transfer *t, transfer_progress *p)
{
  if (!p) return;
  transfer_progress_ref(t->request.progress = p);
  p->sent = p->received = 0;
  p->length_sent = transfer_request_length(&t->request);
  p->length_received = -1;
}

/* (pool, profile, method, url, headers, body, deadline, expect_continue, priority, label, undecided,
 * progress, played, tape): a transfer set up, or NULL and `e`. */
static transfer *make_transfer(lua_State *L, bool streaming, error *e)
{
  pool *p = http_handle(L, 1, HTTP_POOL);
  transfer_options *options = http_handle(L, 2, HTTP_OPTIONS);
  size_t method_length, url_length;
  const char *method = luaL_checklstring(L, 3, &method_length);
  const char *target = luaL_checklstring(L, 4, &url_length);
  header_list *headers = http_handle(L, 5, HTTP_HEADERS);
  if (method_length >= TRANSFER_METHOD_SIZE || !head_valid_method(method, method_length))
    luaL_argerror(L, 3, "not a method");
  http_check_upload(L, 6);
  transfer_progress *progress = lua_isnoneornil(L, 12) ? NULL : http_handle(L, 12, HTTP_PROGRESS);
  transfer_tape *tape = lua_isnoneornil(L, 14) ? NULL : http_handle(L, 14, HTTP_TAPE);
  const unsigned char *undecided = check_statuses(L, 11);
  /* Nothing below can raise. */
  http_network_keep(p->network, NULL);
  transfer *t = transfer_new(p, options, headers, task_clock(L));
  if (!t) {
    error_set(e, ERROR_limit, NULL, "out of memory");
    return NULL;
  }
  if (!url_parse(&t->request.target, target, url_length, e) || !url_require_http(&t->request.target, e)) {
    transfer_free(t);
    return NULL;
  }
  t->request.played = lua_toboolean(L, 13);
  if (!t->request.played && !transfer_permit_begin(t, e)) {
    transfer_free(t);
    return NULL;
  }
  memcpy(t->request.method, method, method_length + 1);
  t->request.streaming = streaming;
  t->request.undecided = streaming ? NULL : undecided;
  t->request.expect_continue = lua_toboolean(L, 8);
  t->admission.item.priority = (int8_t)lua_tointeger(L, 9);
  t->request.deadline = lua_isnumber(L, 7) ? loop_nanoseconds(lua_tonumber(L, 7)) : 0;
  if (!set_upload(L, t, streaming)) {
    error_set(e, ERROR_limit, NULL, "out of memory");
    transfer_free(t);
    return NULL;
  }
  set_progress(t, progress);
  transfer_tape_ref(t->response.tape = tape);
  return t;
}

static int play_results(lua_State *L, operation *op);

static int start(lua_State *L, bool streaming, task_results results)
{
  error e;
  transfer *t = make_transfer(L, streaming, &e);
  if (!t) return errors_return(L, &e);
  operation_begin(&t->op, &transfer_class, t->pool->network->loop, true);
  transfer_start(t, lua_isstring(L, 10) ? lua_tostring(L, 10) : NULL);
  return task_wait(L, &t->op, t->request.played ? play_results : results);
}

static void push_summary(lua_State *L, const transfer *t)
{
  transfer_summarize(lua_newuserdata(L, sizeof(transfer_summary)), t);
}

static void push_head(lua_State *L, const transfer *t)
{
  lua_pushlstring(L, t->response.head.block.bytes ? t->response.head.block.bytes : "",
                  t->response.head.block.length);
}

static int push_failure(lua_State *L, const transfer *t)
{
  errors_return(L, t->failure);
  push_summary(L, t);
  if (!t->exchange.wants_login) return 3;
  push_head(L, t);
  return 4;
}

/* The server answered, and did not ask for fewer requests. */
static bool is_accepted(const transfer *t)
{
  uint16_t status = t->response.head.complete ? (uint16_t)t->response.head.status : 429;
  return status != 429 && status != 503 && status != 403;
}

static int open_results(lua_State *L, operation *op);

static int perform_results(lua_State *L, operation *op)
{
  transfer *t = transfer_of(op);
  network *n = t->pool->network;
  int count = 5;
  if (t->request.streaming) return open_results(L, op);
  http_network_keep(n, t);
  if (t->failure) {
    count = push_failure(L, t);
  } else {
    lua_pushnumber(L, t->response.head.status);
    lua_pushlstring(L, t->response.body.all.length ? t->response.body.all.bytes : "",
                    t->response.body.all.length);
    push_head(L, t);
    push_summary(L, t);
    lua_pushinteger(L, (lua_Integer)t->response.head.flags);
  }
  pool_answer_read(&t->admission, is_accepted(t));
  http_network_keep(n, NULL);
  return count;
}

/* native.perform(pool, profile, method, url, headers, body, deadline, expect_continue, priority, label,
 * undecided, progress) → status, body, head, info, flags (head_flags bits) | nil, err, info [, the head of a
 * proxy's 407]; with a status of the set `undecided`, when the head is there, with a stream for a body, which
 * is to be gathered, discarded or closed.
 * With `played`: when it holds its slot, the other side of the exchange, see native.take. A `tape` gets what
 * goes over the wire.
 */
static int perform(lua_State *L) { return start(L, false, perform_results); }

static int open_results(lua_State *L, operation *op)
{
  transfer *t = transfer_of(op);
  network *n = t->pool->network;
  http_network_keep(n, t);
  if (t->failure && !t->response.head.complete) {
    int count = push_failure(L, t);
    http_network_keep(n, NULL);
    return count;
  }
  lua_pushnumber(L, t->response.head.status);
  pool_answer_read(&t->admission, is_accepted(t));
  http_push_stream(L, t);
  http_network_release(n); /* the stream owns it */
  push_head(L, t);
  push_summary(L, t);
  lua_pushinteger(L, (lua_Integer)t->response.head.flags);
  return 5;
}

/* native.open(the same) → status, stream, head, info, flags | nil, err, info: when the head is there */
static int open_stream(lua_State *L) { return start(L, true, open_results); }

/* It holds its slot, and the script is to answer it. */
static int play_results(lua_State *L, operation *op)
{
  transfer *t = transfer_of(op);
  network *n = t->pool->network;
  if (t->failure) return perform_results(L, op);
  http_network_keep(n, t);
  http_push_played(L, t);
  http_network_release(n);
  return 1;
}

/* native.take(played) → what perform or open gives, once it is there */
static int take(lua_State *L)
{
  transfer *t = http_played_release(L, 1);
  bool has_head = t->response.head.complete && t->request.streaming;
  bool is_decoded = t->failure || t->response.streaming || !t->response.undecoded;
  operation_begin(&t->op, &transfer_class, t->pool->network->loop, true);
  if (has_head || (t->admission.state == ADMISSION_ENDED && is_decoded)) operation_complete(&t->op);
  return task_wait(L, &t->op, t->request.streaming ? open_results : perform_results);
}

/* native.info(info) → table, see http_push_info */
static int info(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TUSERDATA);
  luaL_argcheck(L, lua_objlen(L, 1) == sizeof(transfer_summary), 1, "not what perform gave");
  http_push_info(L, lua_touserdata(L, 1));
  return 1;
}

/* native.now() → monotonic seconds, as used for deadlines */
static int now(lua_State *L)
{
  lua_pushnumber(L, (double)clock_now(task_clock(L)) / NANOSECONDS);
  return 1;
}

/* native.out_of_descriptors() → requests that run: a file could not be opened, so others do not begin */
static int out_of_descriptors(lua_State *L)
{
  network *n = http_network(L);
  network_out_of_descriptors(n);
  lua_pushnumber(L, (lua_Number)n->running);
  return 1;
}

/* native.spare_descriptors() → how many there are for requests */
static int spare_descriptors(lua_State *L)
{
  lua_pushnumber(L, (lua_Number)http_network(L)->max_running);
  return 1;
}

int luaopen_lurcher_native_http(lua_State *L);

int luaopen_lurcher_native_http(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"pool", http_new_pool},
      {"profile", http_new_options},
      {"info", info},
      {"now", now},
      {"upload", http_new_upload},
      {"progress", http_new_progress},
      {"tape", http_new_tape},
      {"decoded", http_decoded},
      {"out_of_descriptors", out_of_descriptors},
      {"spare_descriptors", spare_descriptors},
      {NULL, NULL},
  };
  http_network_open(L);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  http_headers_register(L);
  task_set_blocking(L, -1, "perform", perform);
  task_set_blocking(L, -1, "open", open_stream);
  task_set_blocking(L, -1, "take", take);
  task_set_blocking(L, -1, "file", http_look_at_file);
  return 1;
}
