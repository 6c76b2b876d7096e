#include "net/server/server_connection.h"

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

#define OWNER(type, member_name, pointer) ((type *)((char *)(pointer)-offsetof(type, member_name)))

static void settle(stream *s);

/* ---- references ---- */

static void unref(stream *s)
{
  if (--s->references > 0) return;
  buffer_free(&s->input);
  buffer_free(&s->output);
  if (s->tls) tls_session_free(s->tls);
  socket_group_unref(s->group);
  free(s);
}

static void on_poll_closed(uv_handle_t *handle) { unref(handle->data); }

static void close_now(stream *s)
{
  if (s->socket < 0) return;
  timer_stop(&s->deadline);
  timer_stop(&s->linger);
  socket_group_remove(&s->member);
  uv_close((uv_handle_t *)&s->poll, on_poll_closed);
  close(s->socket);
  s->socket = -1;
  s->closing = s->ended = true;
  s->armed = 0;
  buffer_free(&s->output);
  s->sent = 0;
  settle(s);
}

static void on_group_closes(socket_member *m) { close_now(OWNER(stream, member, m)); }

/* ---- faults ---- */

static void fail(stream *s, error_kind kind, const char *message)
{
  if (s->failed) return;
  s->failed = true;
  s->fault_kind = kind;
  snprintf(s->fault, sizeof s->fault, "%s", message);
}

/* The socket is of no use any more in either direction. */
static void fail_socket(stream *s, int number)
{
  fail(s, ERROR_closed, uv_strerror(uv_translate_sys_error(number)));
  s->ended = true;
  buffer_free(&s->output);
  s->sent = 0;
}

/* ---- output ---- */

static size_t output_left(const stream *s) { return s->output.length - s->sent; }

static ssize_t send_some(stream *s, const char *bytes, size_t length)
{
  ssize_t n;
  do n = send(s->socket, bytes, length, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n >= 0) return n;
  if (errno != EAGAIN && errno != EWOULDBLOCK) fail_socket(s, errno);
  return 0;
}

static void push(stream *s, const char *bytes, size_t length)
{
  size_t n = 0;
  if (output_left(s) == 0) n = (size_t)send_some(s, bytes, length);
  if (n == length || (s->failed && s->ended)) return;
  if (!buffer_append(&s->output, bytes + n, length - n)) fail_socket(s, ENOMEM);
}

static void push_encrypted(stream *s)
{
  const char *bytes;
  size_t length = tls_session_output(s->tls, &bytes);
  if (!length) return;
  push(s, bytes, length);
  tls_session_output_taken(s->tls);
}

static void send_output(stream *s)
{
  while (output_left(s)) {
    ssize_t n = send_some(s, s->output.bytes + s->sent, output_left(s));
    if (n == 0) break;
    s->sent += (size_t)n;
  }
  if (output_left(s) == 0) {
    buffer_free(&s->output);
    s->sent = 0;
  }
}

/* ---- input ---- */

static size_t input_left(const stream *s) { return s->input.length - s->taken; }

static bool input_full(const stream *s)
{
  size_t mark = s->want == STREAM_ANY || s->amount < INPUT_MARK ? INPUT_MARK : s->amount + 1;
  return input_left(s) >= mark;
}

static void keep(stream *s, const char *bytes, size_t length)
{
  if (s->taken && s->taken >= input_left(s)) {
    memmove(s->input.bytes, s->input.bytes + s->taken, input_left(s));
    s->input.length -= s->taken;
    s->taken = 0;
  }
  if (!buffer_append(&s->input, bytes, length)) fail_socket(s, ENOMEM);
}

static void fail_tls(stream *s)
{
  fail(s, ERROR_tls, tls_session_fault(s->tls));
  push_encrypted(s); /* the alert */
}

static void decrypt(stream *s)
{
  tls_state state = TLS_READY;
  if (!s->secure) {
    state = tls_session_handshake(s->tls);
    s->secure = state == TLS_READY;
  }
  while (state == TLS_READY && !s->failed && !input_full(s)) {
    size_t got;
    state = tls_session_read(s->tls, s->group->scratch, SOCKET_SCRATCH_SIZE, &got);
    if (state == TLS_READY) keep(s, s->group->scratch, got);
  }
  push_encrypted(s);
  if (state == TLS_BROKEN) fail_tls(s);
  if (state == TLS_ENDED) s->ended = true;
}

static void receive(stream *s)
{
  ssize_t n;
  do n = recv(s->socket, s->group->scratch, SOCKET_SCRATCH_SIZE, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) fail_socket(s, errno);
    return;
  }
  if (n == 0) s->ended = true;
  if (s->closing) return;
  if (!s->tls) {
    if (n) keep(s, s->group->scratch, (size_t)n);
    return;
  }
  if (n == 0)
    tls_session_feed_end(s->tls);
  else if (!tls_session_feed(s->tls, s->group->scratch, (size_t)n))
    fail_socket(s, ENOMEM);
  if (!s->failed) decrypt(s);
}

/* ---- events ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
  stream *s = poll->data;
  loop_event(s->group->loop);
  if (status < 0) {
    /* libuv reports any error as EBADF and has stopped watching; the socket knows the reason, behind the
     * input that came before it. */
    s->armed = 0;
    size_t before = input_left(s);
    receive(s);
    if (!s->failed && input_left(s) == before) {
      int number = 0;
      socklen_t size = sizeof number;
      getsockopt(s->socket, SOL_SOCKET, SO_ERROR, &number, &size);
      fail_socket(s, number ? number : ECONNRESET);
    }
  } else {
    if (events & UV_WRITABLE) send_output(s);
    if (events & UV_READABLE && !s->ended) receive(s);
  }
  settle(s);
  loop_checkpoint(s->group->loop);
}

static void arm(stream *s)
{
  int events = 0;
  if (!s->ended && (s->closing || (!s->failed && !input_full(s)))) events |= UV_READABLE;
  if (output_left(s)) events |= UV_WRITABLE;
  if (events == s->armed) return;
  s->armed = events;
  if (events)
    uv_poll_start(&s->poll, events, on_poll);
  else
    uv_poll_stop(&s->poll);
}

/* After anything changed: ends what is waited for, sends FIN when it is its turn, watches what is needed. */
static void settle(stream *s)
{
  size_t length;
  if (s->reading.state == OPERATION_PENDING &&
      stream_look(s, s->want, s->amount, &length) != STREAM_WAITING) {
    timer_stop(&s->deadline);
    operation_complete(&s->reading);
  }
  if (s->writing.state == OPERATION_PENDING && stream_flushed(s)) operation_complete(&s->writing);
  if (s->socket < 0) return;
  if (s->half_closed && !s->finished_output && output_left(s) == 0) {
    s->finished_output = true;
    shutdown(s->socket, SHUT_WR);
  }
  if (s->closing && s->finished_output && s->ended)
    close_now(s);
  else
    arm(s);
}

static void on_deadline(timer *t)
{
  stream *s = OWNER(stream, deadline, t);
  s->late = true;
  settle(s);
}

static void on_lingered(timer *t) { close_now(OWNER(stream, linger, t)); }

/* ---- waiting for input ---- */

static size_t find_line(stream *s, const char *bytes, size_t length)
{
  const char *end = memchr(bytes + s->scanned, '\n', length - s->scanned);
  if (end) return (size_t)(end - bytes) + 1;
  s->scanned = length;
  return 0;
}

/* Where the empty line after a head ends, or 0. A lone LF ends a line too, as RFC 9112, 2.2 allows. */
static size_t find_head(stream *s, const char *bytes, size_t length)
{
  size_t at = s->scanned;
  const char *end;
  while ((end = memchr(bytes + at, '\n', length - at))) {
    size_t next = (size_t)(end - bytes) + 1;
    if (next < length && bytes[next] == '\n') return next + 1;
    if (next + 1 < length && bytes[next] == '\r' && bytes[next + 1] == '\n') return next + 2;
    if (next == length || (next + 1 == length && bytes[next] == '\r')) {
      s->scanned = next - 1;
      return 0;
    }
    at = next;
  }
  s->scanned = length;
  return 0;
}

static void drop_empty_lines(stream *s)
{
  while (input_left(s) && s->scanned == 0) {
    const char *bytes = stream_input(s);
    if (bytes[0] == '\n')
      s->taken++;
    else if (bytes[0] == '\r' && input_left(s) > 1 && bytes[1] == '\n')
      s->taken += 2;
    else
      return;
  }
}

/* The length of what is wanted if it is there, 0 if not, more than `amount` if it is too long. */
static size_t wanted_length(stream *s)
{
  size_t have, found;
  if (s->want == STREAM_HEAD) drop_empty_lines(s);
  have = input_left(s);
  switch (s->want) {
  case STREAM_ANY:
    return have < s->amount ? have : s->amount;
  case STREAM_EXACTLY:
    return have < s->amount ? 0 : s->amount;
  case STREAM_LINE:
    found = have ? find_line(s, stream_input(s), have) : 0;
    break;
  case STREAM_HEAD:
    found = have ? find_head(s, stream_input(s), have) : 0;
    break;
  default:
    return 0;
  }
  return found ? found : have >= s->amount ? s->amount + 1 : 0;
}

stream_state stream_look(stream *s, stream_want want, size_t amount, size_t *length)
{
  if (s->want != want) s->scanned = 0;
  s->want = want;
  s->amount = amount;
  *length = 0;
  if (s->closing) return STREAM_CLOSED;
  size_t found = wanted_length(s);
  if (found > amount) return STREAM_TOO_LONG;
  if (found || (want == STREAM_EXACTLY && amount == 0)) {
    *length = found;
    return STREAM_THERE;
  }
  if (want == STREAM_SECURE && (!s->tls || s->secure)) return STREAM_THERE;
  *length = input_left(s);
  if (s->failed) return STREAM_FAILED;
  if (s->ended) return STREAM_ENDED;
  if (s->late) return STREAM_LATE;
  arm(s); /* the mark may have moved */
  return STREAM_WAITING;
}

const char *stream_input(const stream *s) { return s->input.bytes + s->taken; }

void stream_consume(stream *s, size_t length)
{
  s->taken += length;
  s->scanned = 0;
  if (input_left(s) == 0) {
    s->input.length = s->taken = 0;
    if (s->input.capacity > SMALL_BUFFER) buffer_free(&s->input);
  }
  if (s->closing) return;
  if (s->tls && !s->failed && !s->ended) decrypt(s);
  arm(s);
}

static void abandon_read(operation *op)
{
  stream *s = OWNER(stream, reading, op);
  timer_stop(&s->deadline);
  s->late = false;
  unref(s);
}

static void abandon_write(operation *op) { unref(OWNER(stream, writing, op)); }

static const operation_class read_class = {"read from a connection", abandon_read};
static const operation_class write_class = {"write to a connection", abandon_write};

operation *stream_wait(stream *s, double seconds)
{
  loop *l = s->group->loop;
  s->references++;
  s->late = false;
  operation_begin(&s->reading, &read_class, l, true);
  loop_clock *time = loop_serving_clock(l);
  if (seconds > 0) clock_start(time, &s->deadline, clock_now(time) + loop_nanoseconds(seconds), on_deadline);
  return &s->reading;
}

void stream_done(stream *s, operation *op)
{
  operation_reset(op);
  if (op == &s->reading) s->late = false;
  unref(s);
}

/* ---- writing and closing ---- */

bool stream_write(stream *s, const void *bytes, size_t length)
{
  if (s->failed || s->closing || s->half_closed) return false;
  if (!s->tls) {
    push(s, bytes, length);
  } else {
    if (tls_session_write(s->tls, bytes, length) != TLS_READY)
      fail_tls(s);
    else
      push_encrypted(s);
  }
  settle(s);
  return !s->failed;
}

bool stream_flushed(const stream *s) { return s->failed || s->socket < 0 || output_left(s) == 0; }

operation *stream_flush(stream *s)
{
  s->references++;
  operation_begin(&s->writing, &write_class, s->group->loop, true);
  return &s->writing;
}

static void end_tls(stream *s)
{
  if (!s->tls || !s->secure || s->failed) return;
  tls_session_end(s->tls);
  push_encrypted(s);
}

void stream_half_close(stream *s)
{
  if (s->half_closed || s->socket < 0) return;
  end_tls(s);
  s->half_closed = true;
  settle(s);
}

void stream_close(stream *s, stream_close_mode mode)
{
  if (s->socket < 0) return;
  if (mode == STREAM_CLOSE_RESET) {
    struct linger abort = {.l_onoff = 1, .l_linger = 0};
    setsockopt(s->socket, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close_now(s);
    return;
  }
  if (s->closing) return;
  s->closing = true;
  buffer_free(&s->input);
  s->taken = s->scanned = 0;
  if (mode == STREAM_CLOSE_FIN && !s->half_closed) end_tls(s);
  s->half_closed = true;
  loop *l = s->group->loop;
  if (!clock_start(&l->real, &s->linger, loop_now(l) + LINGER, on_lingered))
    close_now(s);
  else
    settle(s);
}

bool stream_peer_gone(const stream *s) { return s->ended; }

/* ---- life ---- */

stream *stream_new(socket_group *g, int socket, tls_server *tls)
{
  stream *s = g->closed ? NULL : calloc(1, sizeof *s);
  if (!s) goto fail;
  if (tls && !(s->tls = tls_session_new(tls))) goto fail;
  if (uv_poll_init(g->loop->uv, &s->poll, socket)) goto fail;
  int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* fails on a Unix socket: no matter */
  uv_unref((uv_handle_t *)&s->poll);                              /* operations keep the loop running */
  s->poll.data = s;
  s->group = g;
  s->socket = socket;
  s->references = 2; /* the caller's and the poll handle's */
  socket_group_add(g, &s->member, on_group_closes);
  arm(s);
  return s;
fail:
  if (s && s->tls) tls_session_free(s->tls);
  free(s);
  close(socket);
  return NULL;
}

void stream_release(stream *s)
{
  stream_close(s, STREAM_CLOSE_FIN);
  unref(s);
}

void stream_remote_address(const stream *s, char *text, size_t size)
{
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  char host[INET6_ADDRSTRLEN];
  text[0] = '\0';
  if (s->socket < 0 || getpeername(s->socket, (struct sockaddr *)&address, &length)) return;
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
