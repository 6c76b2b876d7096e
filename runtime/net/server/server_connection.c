#include "net/server/server_connection.h"

#include "core/container_of.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Input is gathered up to this mark before the socket is left alone. */
static const size_t INPUT_MARK = 65536;

/* Idle connections keep an input buffer of this size at most. */
static const size_t SMALL_BUFFER = 512;

/* How long a closed connection swallows what the peer still sends. Closing a socket with unread input makes
 * the kernel send RST, which destroys what was sent but not read yet. */
static const uint64_t LINGER = 2000 * MILLISECOND;

static void settle(server_connection *c);

/* ---- states ---- */

static bool has_ended(const server_connection *c)
{
  return c->from_peer == INPUT_ENDED || c->from_peer == INPUT_FAILED || c->from_peer == INPUT_OVER;
}

static bool has_failed(const server_connection *c)
{
  return c->from_peer == INPUT_BROKEN || c->from_peer == INPUT_FAILED;
}

/* This side has closed it. */
static bool is_closed(const server_connection *c) { return c->from_peer >= INPUT_DROPPED; }

/* Nothing comes from the peer any more. */
static void end_input(server_connection *c)
{
  static const connection_input ended[] = {
      [INPUT_OPEN] = INPUT_ENDED,    [INPUT_ENDED] = INPUT_ENDED,  [INPUT_BROKEN] = INPUT_FAILED,
      [INPUT_FAILED] = INPUT_FAILED, [INPUT_DROPPED] = INPUT_OVER, [INPUT_OVER] = INPUT_OVER};
  c->from_peer = ended[c->from_peer];
}

/* ---- memory ---- */

static void note_memory(server_connection *c)
{
  memory_account_change(&c->group->loop->memory, &c->held, c->input.capacity + c->output.capacity);
}

/* What the runtime's limit leaves: each connection asks before it keeps more, since there may be many. */
static bool leaves_memory(server_connection *c, size_t more)
{
  return memory_account_leaves(&c->group->loop->memory, more);
}

/* ---- references ---- */

static void unref_connection(server_connection *c)
{
  if (--c->references > 0) return;
  buffer_free(&c->input);
  buffer_free(&c->output);
  note_memory(c);
  if (c->tls) tls_session_free(c->tls);
  socket_group_unref(c->group);
  free(c);
}

static void on_connection_poll_closed(uv_handle_t *handle)
{
  server_connection *c = handle->data;
  loop *l = c->group->loop;
  unref_connection(c);
  loop_handle_closed(l);
}

static void close_now(server_connection *c)
{
  if (c->socket < 0) return;
  timer_stop(&c->deadline);
  timer_stop(&c->linger);
  socket_group_remove(&c->member);
  uv_close((uv_handle_t *)&c->poll, on_connection_poll_closed);
  close(c->socket);
  c->socket = -1;
  c->from_peer = INPUT_OVER;
  c->armed = 0;
  buffer_free(&c->output);
  c->sent = 0;
  settle(c);
}

static void on_connection_group_closes(socket_member *m)
{
  close_now(container_of(m, server_connection, member));
}

/* ---- faults ---- */

/* Nothing the peer sends can be understood any more. */
static void fail(server_connection *c, error_kind kind, const char *message)
{
  if (has_failed(c) || is_closed(c)) return;
  c->from_peer = c->from_peer == INPUT_OPEN ? INPUT_BROKEN : INPUT_FAILED;
  c->fault_kind = kind;
  snprintf(c->fault, sizeof c->fault, "%s", message);
}

/* The socket can neither be read nor written any more. */
static void fail_socket(server_connection *c, int number)
{
  fail(c, ERROR_closed, uv_strerror(uv_translate_sys_error(number)));
  end_input(c);
  buffer_free(&c->output);
  c->sent = 0;
}

/* ---- output ---- */

static size_t output_left(const server_connection *c) { return c->output.length - c->sent; }

/* How many bytes the socket took; -1: it failed. */
static ssize_t send_some(server_connection *c, const char *bytes, size_t length)
{
  ssize_t n;
  do n = send(c->socket, bytes, length, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n >= 0) return n;
  if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
  fail_socket(c, errno);
  return -1;
}

static void push(server_connection *c, const char *bytes, size_t length)
{
  ssize_t n = output_left(c) ? 0 : send_some(c, bytes, length);
  if (n < 0 || (size_t)n == length) return;
  size_t left = length - (size_t)n;
  if (!leaves_memory(c, left) || !buffer_append(&c->output, bytes + n, left)) fail_socket(c, ENOMEM);
}

static void push_encrypted(server_connection *c)
{
  const char *bytes;
  size_t length = tls_session_output(c->tls, &bytes);
  if (!length) return;
  push(c, bytes, length);
  tls_session_output_taken(c->tls);
}

static void send_output(server_connection *c)
{
  while (output_left(c)) {
    ssize_t n = send_some(c, c->output.bytes + c->sent, output_left(c));
    if (n <= 0) break;
    c->sent += (size_t)n;
  }
  if (output_left(c) == 0) {
    buffer_free(&c->output);
    c->sent = 0;
  }
}

/* ---- input ---- */

static size_t input_left(const server_connection *c) { return c->input.length - c->taken; }

static bool input_full(const server_connection *c)
{
  size_t mark = c->want == CONNECTION_ANY || c->amount < INPUT_MARK ? INPUT_MARK : c->amount + 1;
  return input_left(c) >= mark;
}

static void keep(server_connection *c, const char *bytes, size_t length)
{
  if (c->taken && c->taken >= input_left(c)) {
    memmove(c->input.bytes, c->input.bytes + c->taken, input_left(c));
    c->input.length -= c->taken;
    c->taken = 0;
  }
  if (!leaves_memory(c, length) || !buffer_append(&c->input, bytes, length)) fail_socket(c, ENOMEM);
  note_memory(c);
}

static void fail_tls(server_connection *c)
{
  fail(c, ERROR_tls, tls_session_fault(c->tls));
  push_encrypted(c); /* the alert */
}

static void decrypt(server_connection *c)
{
  tls_state state = TLS_READY;
  if (!c->secure) {
    state = tls_session_handshake(c->tls);
    c->secure = state == TLS_READY;
  }
  while (state == TLS_READY && !has_failed(c) && !input_full(c)) {
    size_t got;
    state = tls_session_read(c->tls, c->group->scratch, SOCKET_SCRATCH_SIZE, &got);
    if (state == TLS_READY) keep(c, c->group->scratch, got);
  }
  push_encrypted(c);
  if (state == TLS_BROKEN) fail_tls(c);
  if (state == TLS_ENDED) end_input(c);
}

static void receive(server_connection *c)
{
  ssize_t n;
  do n = recv(c->socket, c->group->scratch, SOCKET_SCRATCH_SIZE, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) fail_socket(c, errno);
    return;
  }
  if (n == 0) end_input(c);
  if (is_closed(c)) return;
  if (!c->tls) {
    if (n) keep(c, c->group->scratch, (size_t)n);
    return;
  }
  if (n == 0)
    tls_session_feed_end(c->tls);
  else if (!tls_session_feed(c->tls, c->group->scratch, (size_t)n))
    fail_socket(c, ENOMEM);
  if (!has_failed(c)) decrypt(c);
}

/* ---- events ---- */

static void on_connection_poll(uv_poll_t *poll, int status, int events)
{
  server_connection *c = poll->data;
  loop_event(c->group->loop);
  if (status < 0) {
    /* libuv reports any error as EBADF and has stopped watching; the socket knows the reason, behind the
     * input that came before it. */
    c->armed = 0;
    size_t before = input_left(c);
    receive(c);
    if (!has_failed(c) && input_left(c) == before) {
      int number = 0;
      socklen_t size = sizeof number;
      getsockopt(c->socket, SOL_SOCKET, SO_ERROR, &number, &size);
      fail_socket(c, number ? number : ECONNRESET);
    }
  } else {
    if (events & UV_WRITABLE) send_output(c);
    if (events & UV_READABLE && !has_ended(c)) receive(c);
  }
  settle(c);
  loop_checkpoint(c->group->loop);
}

static void arm(server_connection *c)
{
  int events = 0;
  if (c->from_peer == INPUT_DROPPED || (c->from_peer == INPUT_OPEN && !input_full(c))) events |= UV_READABLE;
  if (output_left(c)) events |= UV_WRITABLE;
  if (events == c->armed) return;
  c->armed = events;
  if (events)
    uv_poll_start(&c->poll, events, on_connection_poll);
  else
    uv_poll_stop(&c->poll);
}

/* After anything changed: ends what is waited for, sends FIN when it is its turn, watches what is needed. */
static void settle(server_connection *c)
{
  size_t length;
  note_memory(c);
  if (c->reading.state == OPERATION_PENDING &&
      server_connection_look(c, c->want, c->amount, &length) != CONNECTION_WAITING) {
    timer_stop(&c->deadline);
    operation_complete(&c->reading);
  }
  if (c->writing.state == OPERATION_PENDING && server_connection_flushed(c)) operation_complete(&c->writing);
  if (c->socket < 0) return;
  if (c->to_peer == OUTPUT_CLOSING && output_left(c) == 0) {
    c->to_peer = OUTPUT_FINISHED;
    shutdown(c->socket, SHUT_WR);
  }
  if (c->from_peer == INPUT_OVER && c->to_peer == OUTPUT_FINISHED)
    close_now(c);
  else
    arm(c);
}

static void on_deadline(timer *t)
{
  server_connection *c = container_of(t, server_connection, deadline);
  c->late = true;
  settle(c);
}

static void on_lingered(timer *t) { close_now(container_of(t, server_connection, linger)); }

/* ---- waiting for input ---- */

static size_t find_line(server_connection *c, const char *bytes, size_t length)
{
  const char *end = memchr(bytes + c->scanned, '\n', length - c->scanned);
  if (end) return (size_t)(end - bytes) + 1;
  c->scanned = length;
  return 0;
}

/* Where the empty line after a head ends, or 0. A lone LF ends a line too, as RFC 9112, 2.2 allows. */
static size_t find_head(server_connection *c, const char *bytes, size_t length)
{
  size_t at = c->scanned;
  const char *end;
  while ((end = memchr(bytes + at, '\n', length - at))) {
    size_t next = (size_t)(end - bytes) + 1;
    if (next < length && bytes[next] == '\n') return next + 1;
    if (next + 1 < length && bytes[next] == '\r' && bytes[next + 1] == '\n') return next + 2;
    if (next == length || (next + 1 == length && bytes[next] == '\r')) {
      c->scanned = next - 1;
      return 0;
    }
    at = next;
  }
  c->scanned = length;
  return 0;
}

static void drop_empty_lines(server_connection *c)
{
  while (input_left(c) && c->scanned == 0) {
    const char *bytes = server_connection_input(c);
    if (bytes[0] == '\n')
      c->taken++;
    else if (bytes[0] == '\r' && input_left(c) > 1 && bytes[1] == '\n')
      c->taken += 2;
    else
      return;
  }
}

/* The length of what is wanted if it is there, 0 if not, more than `amount` if it is too long. */
static size_t wanted_length(server_connection *c)
{
  size_t have, found;
  if (c->want == CONNECTION_HEAD) drop_empty_lines(c);
  have = input_left(c);
  switch (c->want) {
  case CONNECTION_ANY:
    return have < c->amount ? have : c->amount;
  case CONNECTION_EXACTLY:
    return have < c->amount ? 0 : c->amount;
  case CONNECTION_LINE:
    found = have ? find_line(c, server_connection_input(c), have) : 0;
    break;
  case CONNECTION_HEAD:
    found = have ? find_head(c, server_connection_input(c), have) : 0;
    break;
  default:
    return 0;
  }
  return found ? found : have >= c->amount ? c->amount + 1 : 0;
}

connection_state server_connection_look(server_connection *c, connection_want want, size_t amount,
                                        size_t *length)
{
  if (c->want != want) c->scanned = 0;
  c->want = want;
  c->amount = amount;
  *length = 0;
  if (is_closed(c)) return CONNECTION_CLOSED;
  size_t found = wanted_length(c);
  if (found > amount) return CONNECTION_TOO_LONG;
  if (found || (want == CONNECTION_EXACTLY && amount == 0)) {
    *length = found;
    return CONNECTION_THERE;
  }
  if (want == CONNECTION_SECURE && (!c->tls || c->secure)) return CONNECTION_THERE;
  *length = input_left(c);
  if (has_failed(c)) return CONNECTION_FAILED;
  if (has_ended(c)) return CONNECTION_ENDED;
  if (c->late) return CONNECTION_LATE;
  arm(c); /* the mark may have moved */
  return CONNECTION_WAITING;
}

const char *server_connection_input(const server_connection *c) { return c->input.bytes + c->taken; }

void server_connection_consume(server_connection *c, size_t length)
{
  c->taken += length;
  c->scanned = 0;
  if (input_left(c) == 0) {
    c->input.length = c->taken = 0;
    if (c->input.capacity > SMALL_BUFFER) buffer_free(&c->input);
  }
  note_memory(c);
  if (is_closed(c)) return;
  if (c->tls && c->from_peer == INPUT_OPEN) decrypt(c);
  arm(c);
}

static void abandon_read(operation *op)
{
  server_connection *c = container_of(op, server_connection, reading);
  timer_stop(&c->deadline);
  c->late = false;
  unref_connection(c);
}

static void abandon_write(operation *op) { unref_connection(container_of(op, server_connection, writing)); }

static const operation_class read_class = {"read from a connection", abandon_read};
static const operation_class write_class = {"write to a connection", abandon_write};

operation *server_connection_wait(server_connection *c, double seconds)
{
  loop *l = c->group->loop;
  c->references++;
  c->late = false;
  operation_begin(&c->reading, &read_class, l, true);
  loop_clock *time = loop_serving_clock(l);
  if (seconds > 0) clock_start(time, &c->deadline, clock_now(time) + loop_nanoseconds(seconds), on_deadline);
  return &c->reading;
}

void server_connection_done(server_connection *c, operation *op)
{
  operation_reset(op);
  if (op == &c->reading) c->late = false;
  unref_connection(c);
}

/* ---- writing and closing ---- */

connection_state server_connection_write_state(const server_connection *c)
{
  if (has_failed(c)) return CONNECTION_FAILED;
  return is_closed(c) || c->to_peer != OUTPUT_OPEN ? CONNECTION_CLOSED : CONNECTION_THERE;
}

bool server_connection_write(server_connection *c, const void *bytes, size_t length)
{
  if (server_connection_write_state(c) != CONNECTION_THERE) return false;
  if (!c->tls) {
    push(c, bytes, length);
  } else {
    if (tls_session_write(c->tls, bytes, length) != TLS_READY)
      fail_tls(c);
    else
      push_encrypted(c);
  }
  settle(c);
  return !has_failed(c);
}

bool server_connection_flushed(const server_connection *c)
{
  return has_failed(c) || c->socket < 0 || output_left(c) == 0;
}

operation *server_connection_flush(server_connection *c)
{
  c->references++;
  operation_begin(&c->writing, &write_class, c->group->loop, true);
  return &c->writing;
}

static void end_tls(server_connection *c)
{
  if (!c->tls || !c->secure || has_failed(c)) return;
  tls_session_end(c->tls);
  push_encrypted(c);
}

void server_connection_half_close(server_connection *c)
{
  if (c->to_peer != OUTPUT_OPEN || c->socket < 0) return;
  end_tls(c);
  c->to_peer = OUTPUT_CLOSING;
  settle(c);
}

void server_connection_close(server_connection *c, connection_close_mode mode)
{
  if (c->socket < 0) return;
  if (mode == CONNECTION_CLOSE_RESET) {
    struct linger abort = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->socket, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close_now(c);
    return;
  }
  if (is_closed(c)) return;
  if (mode == CONNECTION_CLOSE_FIN && c->to_peer == OUTPUT_OPEN) end_tls(c);
  c->from_peer = has_ended(c) ? INPUT_OVER : INPUT_DROPPED;
  if (c->to_peer == OUTPUT_OPEN) c->to_peer = OUTPUT_CLOSING;
  buffer_free(&c->input);
  c->taken = c->scanned = 0;
  loop *l = c->group->loop;
  if (!clock_start(&l->real, &c->linger, loop_now(l) + LINGER, on_lingered))
    close_now(c);
  else
    settle(c);
}

bool server_connection_peer_gone(const server_connection *c) { return has_ended(c); }

/* ---- life ---- */

server_connection *server_connection_new(socket_group *g, int socket, tls_server *tls)
{
  server_connection *c = g->closed ? NULL : calloc(1, sizeof *c);
  if (!c) goto fail;
  if (tls && !(c->tls = tls_session_new(tls))) goto fail;
  if (uv_poll_init(g->loop->uv, &c->poll, socket)) goto fail;
  int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* fails on a Unix socket: no matter */
  uv_unref((uv_handle_t *)&c->poll);                              /* operations keep the loop running */
  loop_handle_opened(g->loop);
  c->poll.data = c;
  c->group = g;
  c->socket = socket;
  c->references = 2; /* the caller's and the poll handle's */
  socket_group_add(g, &c->member, on_connection_group_closes);
  arm(c);
  return c;
fail:
  if (c && c->tls) tls_session_free(c->tls);
  free(c);
  close(socket);
  return NULL;
}

void server_connection_release(server_connection *c)
{
  server_connection_close(c, CONNECTION_CLOSE_FIN);
  unref_connection(c);
}

void server_connection_remote_address(const server_connection *c, char *text, size_t size)
{
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  char host[INET6_ADDRSTRLEN];
  text[0] = '\0';
  if (c->socket < 0 || getpeername(c->socket, (struct sockaddr *)&address, &length)) return;
  if (address.ss_family == AF_INET) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    snprintf(text, size, "%s:%d", host, ntohs(v4->sin_port));
  } else if (address.ss_family == AF_INET6) {
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    snprintf(text, size, "[%s]:%d", host, ntohs(v6->sin6_port));
  }
}
