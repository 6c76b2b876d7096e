/* lurcher.native.websocket: connections for lua/lurcher/ws.lua, which makes the handshake. */
#include "net/transfer/transfer_permit.h"
#include "net/transfer/transfer_summary.h"
#include "net/websocket/websocket.h"
#include "script/base/lua_error.h"
#include "script/base/lua_fields.h"
#include "script/http/http_handle.h"
#include "script/http/http_info.h"
#include "script/http/http_network.h"
#include "script/task/task.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char WEBSOCKET[] = "lurcher.native.websocket";

typedef struct {
  websocket *socket;
  bool counted; /* as open */
} box;

/* The transfer is freed with its operation, unless a websocket owns it. */
static void abandon_connect(operation *op) { transfer_free(transfer_of(op)); }

static void abandon_receive(operation *op)
{
  websocket *w = container_of(op, websocket, receiving);
  timer_stop(&w->patience);
  websocket_note_waiting(w);
}

static void abandon_close(operation *op) { websocket_note_waiting(container_of(op, websocket, closing)); }

static void abandon_turn(operation *op)
{
  websocket_turn *turn = container_of(op, websocket_turn, op);
  list_remove(&turn->link);
  free(turn);
}

static const operation_class connect_class = {"WebSocket connection", abandon_connect};
static const operation_class receive_class = {"WebSocket message", abandon_receive};
static const operation_class close_class = {"end of a WebSocket", abandon_close};
static const operation_class turn_class = {"WebSocket that takes a message", abandon_turn};

static websocket *check(lua_State *L)
{
  const box *b = luaL_checkudata(L, 1, WEBSOCKET);
  if (!b->socket) luaL_argerror(L, 1, "it was never connected");
  return b->socket;
}

/* The script knows that it is over, or is about to. */
static void uncount(lua_State *L, const websocket *w)
{
  box *b = w->user;
  if (b->counted) task_count(L, "WebSocket", -1);
  b->counted = false;
}

/* ---- connecting ---- */

static transfer *new_transfer(lua_State *L, error *e)
{
  pool *p = http_handle(L, 1, HTTP_POOL);
  transfer_options *options = http_handle(L, 2, HTTP_OPTIONS);
  size_t length;
  const char *target = luaL_checklstring(L, 3, &length);
  header_list *headers = http_handle(L, 4, HTTP_HEADERS);
  /* Nothing below can raise. */
  transfer *t = transfer_new(p, options, headers, task_clock(L));
  if (!t) {
    error_set(e, ERROR_limit, NULL, "out of memory");
    return NULL;
  }
  if (!url_parse(&t->request.target, target, length, e) || !url_require_http(&t->request.target, e)) {
    transfer_free(t);
    return NULL;
  }
  if (!transfer_permit_begin(t, e)) {
    transfer_free(t);
    return NULL;
  }
  memcpy(t->request.method, "GET", 4);
  t->request.connect_only = true;
  return t;
}

static void push_summary(lua_State *L, const transfer *t)
{
  transfer_summarize(lua_newuserdata(L, sizeof(transfer_summary)), t);
}

/* A push that raises must not leak the transfer: the box is there before it, or the state keeps it. */
static int connect_results(lua_State *L, operation *op)
{
  transfer *t = transfer_of(op);
  http_network_keep(t->pool->network, t);
  if (t->failure) {
    network *n = t->pool->network;
    bool wants_login = t->exchange.wants_login;
    errors_return(L, t->failure);
    push_summary(L, t);
    if (wants_login) lua_pushlstring(L, t->response.head.block.bytes, t->response.head.block.length);
    http_network_keep(n, NULL);
    return wants_login ? 4 : 3;
  }
  box *b = lua_newuserdata(L, sizeof *b);
  *b = (box){0};
  luaL_getmetatable(L, WEBSOCKET);
  lua_setmetatable(L, -2);
  http_network_release(t->pool->network);
  b->socket = websocket_new(t);
  if (!b->socket) return luaL_error(L, "not enough memory, or the connection was closed at once");
  b->socket->user = b;
  task_count(L, "WebSocket", 1);
  b->counted = true;
  return 1;
}

/* native.connect(pool, profile, url, headers, deadline, label) → connection | nil, err, info, and the head of
 * a proxy's 407. Of the headers only those for a proxy are sent. */
static int connect_to(lua_State *L)
{
  error e;
  transfer *t = new_transfer(L, &e);
  if (!t) return errors_return(L, &e);
  t->request.deadline = lua_isnumber(L, 5) ? loop_nanoseconds(lua_tonumber(L, 5)) : 0;
  operation_begin(&t->op, &connect_class, t->pool->network->loop, true);
  transfer_start(t, lua_isstring(L, 6) ? lua_tostring(L, 6) : NULL);
  return task_wait(L, &t->op, connect_results);
}

/* ---- how it ended ---- */

/* nil and the error of a connection that is over, or that the other side has closed. */
static int return_end(lua_State *L, const websocket *w)
{
  error e;
  if (w->state == WEBSOCKET_OVER) uncount(L, w);
  if (w->failure && !w->answered_close) /* what comes behind a close frame does not matter */
    e = *w->failure;
  else
    error_set(&e, ERROR_closed, "read", "the WebSocket is closed (%u)%s%s", w->code ? w->code : w->sent_code,
              w->reason_length ? ": " : "", w->reason);
  errors_return(L, &e);
  if (e.kind == ERROR_closed || e.kind == ERROR_websocket || e.kind == ERROR_too_large) {
    lua_pushnumber(L, w->code ? w->code : w->sent_code ? w->sent_code : WEBSOCKET_ABNORMAL);
    lua_setfield(L, -2, "code");
  }
  if (e.kind == ERROR_closed) {
    lua_pushlstring(L, w->reason, w->reason_length);
    lua_setfield(L, -2, "reason");
  }
  return 2;
}

/* ---- handshake ---- */

static int handshake_write(lua_State *L)
{
  websocket *w = check(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  if (!websocket_handshake_write(w, bytes, length)) return luaL_error(L, "not enough memory");
  return 0;
}

static int try_again(lua_State *L)
{
  lua_pushboolean(L, false);
  return 1;
}

static int timed_out(lua_State *L, const websocket *w)
{
  error e;
  double seconds = (double)w->patience_limit / NANOSECONDS;
  error_set(&e, ERROR_timeout, "read", "nothing came in %g s", seconds);
  e.limit = seconds;
  return errors_return(L, &e);
}

static void on_patience(timer *t)
{
  websocket *w = container_of(t, websocket, patience);
  operation_complete(&w->receiving);
}

static int waited(lua_State *L, operation *op)
{
  websocket *w = container_of(op, websocket, receiving);
  bool late = w->has_patience && !timer_active(&w->patience);
  timer_stop(&w->patience);
  operation_reset(op);
  websocket_note_waiting(w);
  bool has_any = w->first || byte_queue_length(&w->input) || websocket_has_ended(w);
  return late && !has_any ? timed_out(L, w) : try_again(L);
}

/* Waits for what comes next, for so many seconds (stack index 2; nil: however long). */
static int wait_for_more(lua_State *L, websocket *w)
{
  bool is_limited = lua_isnumber(L, 2);
  uint64_t wait = is_limited ? loop_nanoseconds(lua_tonumber(L, 2)) : 0;
  if (w->receiving.state != OPERATION_IDLE)
    return errors_raise(L, "another task receives from this WebSocket already");
  operation_begin(&w->receiving, &receive_class, w->loop, true);
  w->patience_limit = wait;
  w->has_patience = is_limited;
  if (is_limited && !clock_start(w->time, &w->patience, clock_now(w->time) + wait, on_patience)) {
    operation_reset(&w->receiving);
    return luaL_error(L, "not enough memory");
  }
  websocket_note_waiting(w);
  return task_wait(L, &w->receiving, waited);
}

/* connection:read(seconds) → bytes of the handshake | nil at their end | nil, err */
static int handshake_read(lua_State *L)
{
  websocket *w = check(L);
  size_t length = byte_queue_length(&w->input);
  if (length) {
    lua_pushlstring(L, byte_queue_front(&w->input), length);
    byte_queue_take(&w->input, length);
    websocket_carrier_look(&w->carrier);
    return 1;
  }
  if (!websocket_has_ended(w)) return wait_for_more(L, w);
  if (w->failure) return return_end(L, w);
  lua_pushnil(L);
  return 1;
}

/* connection:head(seconds, max_headers) → status, block, http_version, reason, whether it is chunked, length
 * or nil | nil, err. What came before its end without being one: kind "closed" */
static int handshake_head(lua_State *L)
{
  websocket *w = check(L);
  error e;
  handshake_state state = websocket_handshake_read(w, (size_t)luaL_checknumber(L, 3), &e);
  if (state == HANDSHAKE_BROKEN) return errors_return(L, &e);
  if (state == HANDSHAKE_MORE) {
    if (!websocket_has_ended(w)) return wait_for_more(L, w);
    if (w->failure) return return_end(L, w);
    error_set(&e, ERROR_closed, "read", "the connection was closed before the response's head was complete");
    return errors_return(L, &e);
  }
  const head *h = &w->handshake->head;
  lua_pushnumber(L, h->status);
  lua_pushlstring(L, h->block.bytes ? h->block.bytes : "", h->block.length);
  lua_pushstring(L, h->version == 10 ? "1.0" : "1.1");
  lua_pushstring(L, h->reason);
  lua_pushboolean(L, h->chunked);
  if (h->content_length < 0) return 5;
  lua_pushnumber(L, (double)h->content_length);
  return 6;
}

static unsigned char bits_field(lua_State *L, const char *name)
{
  double bits = field_number(L, 2, name);
  return bits >= 8 && bits <= 15 ? (unsigned char)bits : 15;
}

static bool flag_field(lua_State *L, const char *name)
{
  lua_getfield(L, 2, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* connection:begin({max_message=, ping=, write=, deflate=, client_no_context_takeover=,
 * server_no_context_takeover=, client_max_window_bits=, server_max_window_bits=}): the handshake is over */
static int begin(lua_State *L)
{
  websocket *w = check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  websocket_options options = {
      .max_message = field_size(L, 2, "max_message", SIZE_MAX),
      .ping = loop_nanoseconds(field_number(L, 2, "ping")),
      .write = loop_nanoseconds(field_number(L, 2, "write")),
      .deflates = flag_field(L, "deflate"),
      .deflate = {.client_no_context = flag_field(L, "client_no_context_takeover"),
                  .server_no_context = flag_field(L, "server_no_context_takeover"),
                  .client_bits = bits_field(L, "client_max_window_bits"),
                  .server_bits = bits_field(L, "server_max_window_bits")},
  };
  if (!websocket_begin(w, &options)) return luaL_error(L, "not enough memory");
  return 0;
}

/* ---- messages ---- */

static int turn_came(lua_State *L, operation *op)
{
  websocket_turn *turn = container_of(op, websocket_turn, op);
  operation_reset(op);
  abandon_turn(op);
  (void)turn;
  return try_again(L);
}

static int wait_for_turn(lua_State *L, websocket *w)
{
  websocket_turn *turn = calloc(1, sizeof *turn);
  if (!turn) return luaL_error(L, "not enough memory");
  operation_begin(&turn->op, &turn_class, w->loop, true);
  websocket_await_turn(w, turn);
  return task_wait(L, &turn->op, turn_came);
}

/* connection:send(message, is_text) → true | nil, err; nothing for a text that is not UTF-8 */
static int send_message(lua_State *L)
{
  websocket *w = check(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  bool is_text = lua_toboolean(L, 3);
  websocket_utf8 text = {0};
  if (is_text && !(websocket_utf8_check(&text, bytes, length) && websocket_utf8_is_whole(&text))) return 0;
  switch (websocket_send(w, is_text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, bytes, length)) {
  case WEBSOCKET_SENT:
    lua_pushboolean(L, true);
    return 1;
  case WEBSOCKET_WAIT:
    return wait_for_turn(L, w);
  case WEBSOCKET_REFUSED:
    return return_end(L, w);
  default:
    return luaL_error(L, "not enough memory");
  }
}

/* connection:receive([seconds]) → message, "text" or "binary" | nil, err */
static int receive(lua_State *L)
{
  websocket *w = check(L);
  if (!w->first) return websocket_has_ended(w) ? return_end(L, w) : wait_for_more(L, w);
  lua_pushlstring(L, w->first->bytes, w->first->length);
  if (w->first->opcode == WEBSOCKET_TEXT)
    lua_pushliteral(L, "text");
  else
    lua_pushliteral(L, "binary");
  websocket_message_free(websocket_take(w));
  return 2;
}

/* ---- the end ---- */

static int push_closed(lua_State *L, websocket *w)
{
  uncount(L, w);
  if (w->failure && !w->answered_close) return return_end(L, w);
  lua_pushboolean(L, true);
  return 1;
}

static int close_results(lua_State *L, operation *op)
{
  websocket *w = container_of(op, websocket, closing);
  operation_reset(op);
  websocket_note_waiting(w);
  return push_closed(L, w);
}

/* connection:close([code [, reason]]) → true | nil, err: when the other side has closed it, too; nothing for
 * a reason that is not UTF-8 */
static int close_connection(lua_State *L)
{
  websocket *w = check(L);
  size_t length = 0;
  unsigned code = (unsigned)luaL_optinteger(L, 2, 0);
  const char *reason = luaL_optlstring(L, 3, "", &length);
  websocket_utf8 text = {0};
  luaL_argcheck(L, length <= WEBSOCKET_MAX_REASON, 3, "a reason of at most 123 bytes expected");
  if (!websocket_utf8_check(&text, reason, length) || !websocket_utf8_is_whole(&text)) return 0;
  if (w->state == WEBSOCKET_OVER) {
    uncount(L, w);
    lua_pushboolean(L, true);
    return 1;
  }
  if (w->closing.state != OPERATION_IDLE)
    return errors_raise(L, "another task closes this WebSocket already");
  operation_begin(&w->closing, &close_class, w->loop, true);
  websocket_close(w, code, reason, length);
  websocket_note_waiting(w);
  return task_wait(L, &w->closing, close_results);
}

/* connection:abort(code): closes it at once */
static int abort_connection(lua_State *L)
{
  websocket *w = check(L);
  websocket_abort(w, (unsigned)luaL_optinteger(L, 2, 0));
  uncount(L, w);
  return 0;
}

/* connection:is_open() */
static int is_open(lua_State *L)
{
  lua_pushboolean(L, check(L)->state == WEBSOCKET_OPEN);
  return 1;
}

/* connection:summary() → what native.http.info takes; nil once it is over */
static int summary(lua_State *L)
{
  const websocket *w = check(L);
  if (!w->carrier.transfer) return 0;
  push_summary(L, w->carrier.transfer);
  return 1;
}

/* connection:info() → what is known of the connection, as native.http.info gives it */
static int info(lua_State *L)
{
  const websocket *w = check(L);
  transfer_summary s;
  if (!w->carrier.transfer) return 0;
  transfer_summarize(&s, w->carrier.transfer);
  http_push_info(L, &s);
  return 1;
}

static int collect(lua_State *L)
{
  box *b = lua_touserdata(L, 1);
  if (!b->socket) return 0;
  websocket_abort(b->socket, 1001);
  uncount(L, b->socket);
  websocket_free(b->socket);
  b->socket = NULL;
  return 0;
}

/* ---- wiring ---- */

/* Some waits only tell that it is worth another try. */
static const char retry_source[] =
    "local try = ...\n"
    "return function(...)\n"
    "  while true do\n"
    "    local value, second, third, fourth, fifth, sixth = try(...)\n"
    "    if value ~= false then return value, second, third, fourth, fifth, sixth end\n"
    "  end\n"
    "end\n";

static void set_repeated(lua_State *L, const char *name, lua_CFunction try)
{
  task_set_blocking(L, -1, name, try);
  if (luaL_loadbuffer(L, retry_source, sizeof retry_source - 1, "@lurcher/websocket.lua")) lua_error(L);
  lua_getfield(L, -2, name);
  lua_call(L, 1, 1);
  lua_setfield(L, -2, name);
}

static void add_blocking(lua_State *L)
{
  set_repeated(L, "head", handshake_head);
  set_repeated(L, "read", handshake_read);
  set_repeated(L, "send", send_message);
  set_repeated(L, "receive", receive);
  task_set_blocking(L, -1, "close", close_connection);
}

int luaopen_lurcher_native_websocket(lua_State *L);

int luaopen_lurcher_native_websocket(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"write", handshake_write},
      {"begin", begin},
      {"abort", abort_connection},
      {"is_open", is_open},
      {"info", info},
      {"summary", summary},
      {NULL, NULL},
  };
  http_network_open(L);
  http_make_metatable(L, WEBSOCKET, collect, methods, add_blocking);
  lua_newtable(L);
  task_set_blocking(L, -1, "connect", connect_to);
  return 1;
}
