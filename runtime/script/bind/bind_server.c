/* lurcher.native.server: sockets, TLS and request heads for lua/lurcher/server.lua, which is the server. */
#include "core/file/guarded.h"
#include "format/http/request_head.h"
#include "net/server/server_connection.h"
#include "net/server/server_listener.h"
#include "net/server/tls_server.h"
#include "script/base/lua_class.h"
#include "script/base/lua_error.h"
#include "script/task/task.h"
#include "script/task/task_permit.h"

#include <lauxlib.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char CONNECTION[] = "lurcher.connection";
static const char LISTENER[] = "lurcher.listener";
static const char TLS[] = "lurcher.tls_server";
static const char GROUP[] = "lurcher.socket_group";
static const char OPEN_SOCKETS[] = "lurcher.open_sockets"; /* registry key of the group */

static void *check(lua_State *L, int index, const char *type)
{
  return *(void **)luaL_checkudata(L, index, type);
}

/* ---- reading ---- */

static int return_error(lua_State *L, const server_connection *c, connection_state state, const char *phase)
{
  error e;
  switch (state) {
  case CONNECTION_TOO_LONG:
    error_set(&e, ERROR_too_large, phase, "more than %zu bytes without an end", c->amount);
    e.limit = (double)c->amount;
    break;
  case CONNECTION_LATE:
    error_set(&e, ERROR_timeout, phase, "the client sent too little in time");
    e.observed = (double)(c->input.length - c->taken);
    break;
  case CONNECTION_ENDED:
    error_set(&e, ERROR_truncated, phase, "the client ended the connection too early");
    break;
  case CONNECTION_FAILED:
    error_set(&e, c->fault_kind, phase, "%s", c->fault);
    break;
  default:
    error_set(&e, ERROR_closed, phase, "the connection was closed on this side");
  }
  return errors_return(L, &e);
}

/* Pushes what a reading function returns for a state that is not CONNECTION_WAITING. */
static int push_input(lua_State *L, server_connection *c, connection_state state, size_t length)
{
  if (state == CONNECTION_THERE && c->want == CONNECTION_SECURE) {
    lua_pushboolean(L, true);
    return 1;
  }
  bool partial = state == CONNECTION_ENDED && c->want == CONNECTION_EXACTLY && length > 0;
  if (state == CONNECTION_THERE || partial) {
    lua_pushlstring(L, length ? server_connection_input(c) : "", length);
    server_connection_consume(c, length);
    return 1;
  }
  if (state == CONNECTION_ENDED && length == 0 && c->want != CONNECTION_SECURE) {
    lua_pushnil(L);
    return 1;
  }
  return return_error(L, c, state, "read");
}

static int read_results(lua_State *L, operation *op)
{
  server_connection *c = container_of(op, server_connection, reading);
  size_t length;
  connection_state state = server_connection_look(c, c->want, c->amount, &length);
  operation_reset(op);
  int count = push_input(L, c, state, length);
  server_connection_done(c, op);
  return count;
}

static int read_wanted(lua_State *L, connection_want want, size_t amount, double seconds)
{
  server_connection *c = check(L, 1, CONNECTION);
  size_t length;
  if (c->reading.state != OPERATION_IDLE)
    return errors_raise(L, "another task is reading from this connection");
  connection_state state = server_connection_look(c, want, amount, &length);
  if (state != CONNECTION_WAITING) return push_input(L, c, state, length);
  return task_wait(L, server_connection_wait(c, seconds), read_results);
}

static size_t check_amount(lua_State *L, int index)
{
  lua_Number n = luaL_checknumber(L, index);
  luaL_argcheck(L, n >= 0 && n < 9e15 && n == (lua_Number)(size_t)n, index, "a number of bytes expected");
  return (size_t)n;
}

/* read(max, seconds) -> some bytes, or nil at the end, or nil and an error. */
static int connection_read(lua_State *L)
{
  size_t amount = check_amount(L, 2);
  luaL_argcheck(L, amount > 0, 2, "at least one byte must be asked for");
  return read_wanted(L, CONNECTION_ANY, amount, luaL_optnumber(L, 3, 0));
}

/* read_exactly(count, seconds): fewer bytes only at the end of the input. */
static int connection_read_exactly(lua_State *L)
{
  return read_wanted(L, CONNECTION_EXACTLY, check_amount(L, 2), luaL_optnumber(L, 3, 0));
}

/* line(max, seconds) -> a line with its end. */
static int connection_line(lua_State *L)
{
  return read_wanted(L, CONNECTION_LINE, check_amount(L, 2), luaL_optnumber(L, 3, 0));
}

/* head(max, seconds) -> all lines up to and with an empty one. */
static int connection_head(lua_State *L)
{
  return read_wanted(L, CONNECTION_HEAD, check_amount(L, 2), luaL_optnumber(L, 3, 0));
}

/* secure(seconds) -> true once the TLS handshake is over. */
static int connection_secure(lua_State *L)
{
  return read_wanted(L, CONNECTION_SECURE, 0, luaL_optnumber(L, 2, 0));
}

/* ---- writing and closing ---- */

static int push_written(lua_State *L, const server_connection *c)
{
  connection_state state = server_connection_write_state(c);
  if (state != CONNECTION_THERE) return return_error(L, c, state, "write");
  lua_pushboolean(L, true);
  return 1;
}

static int write_results(lua_State *L, operation *op)
{
  server_connection *c = container_of(op, server_connection, writing);
  operation_reset(op);
  int count = push_written(L, c);
  server_connection_done(c, op);
  return count;
}

/* write(bytes [, first, last]) -> true once the operating system has all of it, or nil and an error. */
static int connection_write(lua_State *L)
{
  server_connection *c = check(L, 1, CONNECTION);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  size_t first = lua_isnoneornil(L, 3) ? 1 : check_amount(L, 3);
  size_t last = lua_isnoneornil(L, 4) ? length : check_amount(L, 4);
  if (c->writing.state != OPERATION_IDLE)
    return errors_raise(L, "another task is writing to this connection");
  if (last > length) last = length;
  if (first < 1 || first > last + 1) return luaL_error(L, "no such range of bytes");
  if (!server_connection_write(c, bytes + first - 1, last + 1 - first) || server_connection_flushed(c))
    return push_written(L, c);
  return task_wait(L, server_connection_flush(c), write_results);
}

/* close([notify]): FIN; with notify false without TLS's close_notify. */
static int connection_close(lua_State *L)
{
  bool silent = lua_isboolean(L, 2) && !lua_toboolean(L, 2);
  server_connection_close(check(L, 1, CONNECTION), silent ? CONNECTION_CLOSE_SILENT : CONNECTION_CLOSE_FIN);
  return 0;
}

static int connection_reset(lua_State *L)
{
  server_connection_close(check(L, 1, CONNECTION), CONNECTION_CLOSE_RESET);
  return 0;
}

static int connection_half_close(lua_State *L)
{
  server_connection_half_close(check(L, 1, CONNECTION));
  return 0;
}

static int connection_gone(lua_State *L)
{
  lua_pushboolean(L, server_connection_peer_gone(check(L, 1, CONNECTION)));
  return 1;
}

static int connection_remote_address(lua_State *L)
{
  char text[80];
  server_connection_remote_address(check(L, 1, CONNECTION), text, sizeof text);
  lua_pushstring(L, text);
  return 1;
}

static void set_text(lua_State *L, const char *name, const char *text, size_t length)
{
  if (!text || !length) return;
  lua_pushlstring(L, text, length);
  lua_setfield(L, -2, name);
}

/* tls() -> {version, server_name, alpn, resumed}, or nil on a plain connection. */
static int connection_tls(lua_State *L)
{
  server_connection *c = check(L, 1, CONNECTION);
  if (!c->tls) return 0;
  tls_description d = tls_session_describe(c->tls);
  lua_createtable(L, 0, 4);
  set_text(L, "version", d.version, d.version ? strlen(d.version) : 0);
  set_text(L, "server_name", d.server_name, d.server_name ? strlen(d.server_name) : 0);
  set_text(L, "alpn", d.protocol, d.protocol_length);
  lua_pushboolean(L, d.resumed);
  lua_setfield(L, -2, "resumed");
  return 1;
}

static int connection_collect(lua_State *L)
{
  server_connection **box = luaL_checkudata(L, 1, CONNECTION);
  if (*box) server_connection_release(*box);
  *box = NULL;
  return 0;
}

/* unmask(payload, key of 4 bytes) -> the payload of a WebSocket client's frame as it was before it was masked
 */
static int server_unmask(lua_State *L)
{
  size_t length, key_length;
  const char *masked = luaL_checklstring(L, 1, &length), *key = luaL_checklstring(L, 2, &key_length);
  luaL_argcheck(L, key_length == 4, 2, "a key has 4 bytes");
  char *plain = lua_newuserdata(L, length + 1);
  for (size_t i = 0; i < length; i++) plain[i] = (char)(masked[i] ^ key[i & 3]);
  lua_pushlstring(L, plain, length);
  return 1;
}

/* ---- listening ---- */

static int push_connection(lua_State *L, server_listener *l)
{
  server_connection **connection = lua_newuserdata(L, sizeof *connection);
  *connection = NULL;
  luaL_getmetatable(L, CONNECTION);
  lua_setmetatable(L, -2);
  int socket = server_listener_take(l);
  if (socket >= 0) *connection = server_connection_new(l->group, socket, l->tls);
  if (*connection) return 1;
  if (l->socket < 0)
    lua_pushnil(L);
  else
    lua_pushboolean(L, false);
  return 1;
}

static int accept_results(lua_State *L, operation *op)
{
  server_listener *l = container_of(op, server_listener, accepting);
  operation_reset(op);
  int count = push_connection(L, l);
  server_listener_done(l, op);
  return count;
}

/* accept() -> a connection; false when none could be made of what came; nil once the listener is closed. */
static int listener_accept(lua_State *L)
{
  server_listener *l = check(L, 1, LISTENER);
  if (l->accepting.state != OPERATION_IDLE)
    return errors_raise(L, "another task is accepting connections here");
  if (l->count || l->socket < 0) return push_connection(L, l);
  return task_wait(L, server_listener_wait(l), accept_results);
}

static int listener_port(lua_State *L)
{
  server_listener *l = check(L, 1, LISTENER);
  lua_pushinteger(L, l->port);
  return 1;
}

static void stop_listening(lua_State *L, server_listener *l)
{
  if (l->socket >= 0) task_count(L, "server", -1);
  server_listener_close(l);
}

static int listener_stop(lua_State *L)
{
  stop_listening(L, check(L, 1, LISTENER));
  return 0;
}

static int listener_collect(lua_State *L)
{
  server_listener **box = luaL_checkudata(L, 1, LISTENER), *l = *box;
  if (!l) return 0;
  *box = NULL;
  stop_listening(L, l);
  server_listener_release(l);
  return 0;
}

static bool permits_listening(lua_State *L, const char *host, int port, const char *path, error *e)
{
  struct sockaddr_storage address = {0};
  struct sockaddr_un *local = (void *)&address;
  if (path) {
    local->sun_family = AF_UNIX;
    snprintf(local->sun_path, sizeof local->sun_path, "%s", guarded_name(path));
  } else {
    permit_address_of(host, port, (void *)&address);
  }
  permit_request request = {
      .kind = PERMIT_LISTEN, .name = "", .port = path ? 0 : port, .address = (void *)&address};
  return task_permits(L, &request, e);
}

/* listen(host, port, path or nil, tls or nil) -> listener, or nil and an error. */
static int server_listen(lua_State *L)
{
  lua_settop(L, 4);
  if (!lua_isnil(L, 3) && task_refuses_path(L, 3, TASK_WRITES | TASK_KEEPS_LINK)) return 2;
  const char *host = luaL_checkstring(L, 1), *path = luaL_optstring(L, 3, NULL);
  int port = (int)luaL_checkinteger(L, 2);
  tls_server *tls = lua_isnoneornil(L, 4) ? NULL : check(L, 4, TLS);
  lua_getfield(L, LUA_REGISTRYINDEX, OPEN_SOCKETS);
  socket_group *group = check(L, -1, GROUP);
  server_listener **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_getmetatable(L, LISTENER);
  lua_setmetatable(L, -2);
  error e;
  if (!permits_listening(L, host, port, path, &e)) return errors_return(L, &e);
  *box = server_listener_new(group, host, port, path, tls, &e);
  if (!*box) return errors_return(L, &e);
  task_count(L, "server", 1);
  return 1;
}

/* ---- TLS configuration ---- */

static const char *text_field(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  return lua_tostring(L, -1); /* stays on the stack, and so alive */
}

/* The list at `index` as a NULL-ended array in a userdata that is left on the stack. */
static const char *const *text_list(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  luaL_checktype(L, -1, LUA_TTABLE);
  size_t count = lua_objlen(L, -1);
  const char **list = lua_newuserdata(L, (count + 1) * sizeof *list);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -2, (int)i + 1);
    list[i] = luaL_checkstring(L, -1); /* alive in the table */
    lua_pop(L, 1);
  }
  list[count] = NULL;
  return list;
}

static size_t wire_protocols(lua_State *L, const char *const *names, unsigned char *wire)
{
  size_t length = 0;
  for (; *names; names++) {
    size_t size = strlen(*names);
    if (!size || length + 1 + size > 255) luaL_error(L, "the ALPN protocols are empty or too long");
    wire[length++] = (unsigned char)size;
    memcpy(wire + length, *names, size);
    length += size;
  }
  return length;
}

/* tls{names=, alpn= (lists), expires_in=, cert=, key=, client_ca=, min=, max=} -> configuration, its
 * self-signed certificate in PEM or nil; or nil and an error. */
static int server_tls(lua_State *L)
{
  static const char *const files[] = {"cert", "key", "client_ca"};
  unsigned char wire[255];
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkstack(L, 20, NULL);
  lua_settop(L, 1);
  for (int i = 0; i < 3; i++) {
    lua_getfield(L, 1, files[i]);
    if (!lua_isnil(L, -1) && task_refuses_path(L, 2 + i, TASK_READS)) return 2;
  }
  tls_server_options options = {
      .certificate = lua_tostring(L, 2),
      .key = lua_tostring(L, 3),
      .client_ca = lua_tostring(L, 4),
      .min_version = text_field(L, "min"),
      .max_version = text_field(L, "max"),
      .names = text_list(L, "names"),
  };
  lua_getfield(L, 1, "expires_in");
  options.expires_in = lua_tonumber(L, -1);
  options.protocols_length = wire_protocols(L, text_list(L, "alpn"), wire);
  if (options.protocols_length) options.protocols = wire;
  tls_server **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_getmetatable(L, TLS);
  lua_setmetatable(L, -2);
  error e;
  *box = tls_server_new(&options, &e);
  if (!*box) return errors_return(L, &e);
  lua_pushstring(L, tls_server_certificate(*box));
  return 2;
}

static int tls_collect(lua_State *L)
{
  tls_server **box = luaL_checkudata(L, 1, TLS);
  if (*box) tls_server_unref(*box);
  *box = NULL;
  return 0;
}

/* ---- request heads ---- */

static void push_view(lua_State *L, text_view v)
{
  if (v.bytes)
    lua_pushlstring(L, v.bytes, v.length);
  else
    lua_pushnil(L);
}

/* parse_head(text) -> method, target, version, content length or nil, chunked, keep alive, expects
 * 100-continue, and for a request that must be refused its status and why. Method, target and version can be
 * nil then. */
static int server_parse_head(lua_State *L)
{
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  request_head head;
  int status = request_head_parse(&head, bytes, length);
  push_view(L, head.method);
  push_view(L, head.target);
  push_view(L, head.version);
  if (head.content_length >= 0)
    lua_pushnumber(L, (lua_Number)head.content_length);
  else
    lua_pushnil(L);
  lua_pushboolean(L, head.chunked);
  lua_pushboolean(L, head.keep_alive);
  lua_pushboolean(L, head.expects_continue);
  if (!status) return 7;
  lua_pushinteger(L, status);
  lua_pushstring(L, head.fault);
  return 9;
}

/* ---- module ---- */

static int group_collect(lua_State *L)
{
  socket_group **box = luaL_checkudata(L, 1, GROUP);
  if (*box) {
    socket_group_close(*box);
    socket_group_unref(*box);
  }
  *box = NULL;
  return 0;
}

/* Only once for a state, however often the module is loaded: busted does so for each file. */
static void make_group(lua_State *L)
{
  lua_getfield(L, LUA_REGISTRYINDEX, OPEN_SOCKETS);
  bool made = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (made) return;
  socket_group **group = lua_newuserdata(L, sizeof *group);
  *group = NULL;
  luaL_getmetatable(L, GROUP);
  lua_setmetatable(L, -2);
  lua_setfield(L, LUA_REGISTRYINDEX, OPEN_SOCKETS);
  if (!(*group = socket_group_new(task_loop(L)))) luaL_error(L, "not enough memory");
}

static void make_type(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *blocking,
                      lua_CFunction collect)
{
  class_new(L, name, collect, methods);
  for (; blocking->name; blocking++) task_set_blocking(L, -1, blocking->name, blocking->func);
  lua_pop(L, 1);
}

int luaopen_lurcher_native_server(lua_State *L);

int luaopen_lurcher_native_server(lua_State *L)
{
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg connection_methods[] = {
      {"close", connection_close},
      {"reset", connection_reset},
      {"half_close", connection_half_close},
      {"gone", connection_gone},
      {"remote_address", connection_remote_address},
      {"tls", connection_tls},
      {NULL, NULL},
  };
  static const luaL_Reg connection_blocking[] = {
      {"read", connection_read},
      {"read_exactly", connection_read_exactly},
      {"line", connection_line},
      {"head", connection_head},
      {"secure", connection_secure},
      {"write", connection_write},
      {NULL, NULL},
  };
  static const luaL_Reg listener_methods[] = {
      {"port", listener_port}, {"close", listener_stop}, {NULL, NULL}};
  static const luaL_Reg listener_blocking[] = {{"accept", listener_accept}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"listen", server_listen},
                                       {"tls", server_tls},
                                       {"parse_head", server_parse_head},
                                       {"unmask", server_unmask},
                                       {NULL, NULL}};

  make_type(L, GROUP, none, none, group_collect);
  make_type(L, TLS, none, none, tls_collect);
  make_type(L, LISTENER, listener_methods, listener_blocking, listener_collect);
  make_type(L, CONNECTION, connection_methods, connection_blocking, connection_collect);

  make_group(L);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  return 1;
}
