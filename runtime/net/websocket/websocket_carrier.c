#include "net/websocket/websocket_carrier.h"

#include "net/transfer/transfer_proxy.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_event(uv_poll_t *poll, int status, int events)
{
  websocket_carrier *c = poll->data;
  loop *l = c->transfer->pool->network->loop;
  loop_event(l);
  loop_note_activity(l);
  if (status < 0) { /* libuv has stopped watching; what is read or written meets the error */
    c->watcher->wanted = c->watcher->armed = 0;
  }
  c->may_read |= status < 0 || (events & UV_READABLE) || !c->direct;
  c->on_ready(c);
  loop_checkpoint(l);
}

static void on_look(deferred *d)
{
  websocket_carrier *c = container_of(d, websocket_carrier, look);
  if (c->transfer) c->on_ready(c);
}

static void close_detached(const websocket_carrier *c)
{
  network *n = c->transfer->pool->network;
  if (c->watcher) watcher_close(&n->multis.watchers, c->socket);
  close(c->socket);
  network_descriptor_freed(n);
}

static void let_go(websocket_carrier *c)
{
  loop_undefer(c->transfer->pool->network->loop, &c->look);
  if (c->detached)
    close_detached(c);
  else if (c->watcher)
    multi_watch_taken(c->watcher, 0, on_event);
  c->watcher = NULL;
  c->detached = false;
  c->transfer->rider = NULL;
}

/* Its pool ends it: the transfer is freed by us, but not now. */
static void on_end(transfer_rider *rider)
{
  websocket_carrier *c = container_of(rider, websocket_carrier, rider);
  let_go(c);
  c->socket = -1;
  c->on_lost(c, c->transfer->failure);
}

/* No TLS, neither with the server nor with a proxy. */
static bool is_plain(const transfer *t)
{
  return t->request.target.scheme.length == 4 && !transfer_proxy_is_https(t->options);
}

bool websocket_carrier_open(websocket_carrier *c, transfer *t)
{
  c->rider.end = on_end;
  c->look.run = on_look;
  c->transfer = t;
  c->socket = -1;
  if (t->admission.state != ADMISSION_RUNNING) return false;
  c->direct = is_plain(t);
  if (c->direct) c->socket = transfer_exchange_detach(t);
  c->detached = c->socket >= 0;
  c->watcher = c->detached ? multi_take_detached(&t->pool->network->multis, c->socket, c)
                           : multi_take_socket(t->admission.multi, t->handle->easy, c);
  if (!c->watcher) return false;
  c->socket = c->watcher->fd;
  t->rider = &c->rider;
  return true;
}

void websocket_carrier_watch(websocket_carrier *c, bool reading, bool writing)
{
  int events = (reading ? UV_READABLE : 0) | (writing ? UV_WRITABLE : 0);
  if (c->watcher) multi_watch_taken(c->watcher, events, on_event);
}

void websocket_carrier_look(websocket_carrier *c)
{
  c->may_read = true;
  if (c->transfer) loop_defer(c->transfer->pool->network->loop, &c->look);
}

void websocket_carrier_look_to_write(websocket_carrier *c)
{
  c->may_read |= !c->direct; /* TLS may have to read before it can write */
  if (c->transfer) loop_defer(c->transfer->pool->network->loop, &c->look);
}

/* ---- bytes ---- */

static carrier_result failed(const websocket_carrier *c, error *e, const char *doing, const char *why)
{
  bool of_tls = !c->direct && strstr(why, "SSL") && !strstr(why, "SYSCALL") &&
                !strstr(why, "unexpected eof") && !strstr(why, "errno");
  error_set(e, of_tls ? ERROR_tls : ERROR_closed, doing, "the connection to %s was lost: %s",
            pool_origin_name(&c->transfer->admission), why);
  return CARRIER_FAILED;
}

static carrier_result moved_directly(const websocket_carrier *c, ssize_t result, size_t *length, error *e,
                                     const char *doing)
{
  *length = result > 0 ? (size_t)result : 0;
  if (result > 0) return CARRIER_MOVED;
  if (result == 0) return CARRIER_ENDED;
  if (errno == EAGAIN || errno == EINTR) return CARRIER_BLOCKED;
  return failed(c, e, doing, strerror(errno));
}

static carrier_result moved_by_libcurl(const websocket_carrier *c, CURLcode code, size_t length, error *e,
                                       const char *doing)
{
  const char *hint = c->transfer->handle->hint;
  if (code == CURLE_AGAIN) return CARRIER_BLOCKED;
  if (code == CURLE_OK) return length ? CARRIER_MOVED : CARRIER_ENDED;
  return failed(c, e, doing, *hint ? hint : curl_easy_strerror(code));
}

carrier_result websocket_carrier_read(websocket_carrier *c, char *to, size_t room, size_t *length, error *e)
{
  c->transfer->handle->hint[0] = 0;
  *length = 0;
  carrier_result result;
  if (c->direct) {
    result = moved_directly(c, recv(c->socket, to, room, MSG_DONTWAIT), length, e, "read");
  } else {
    CURLcode code = curl_easy_recv(c->transfer->handle->easy, to, room, length);
    result = moved_by_libcurl(c, code, *length, e, "read");
  }
  c->read_again = result == CARRIER_MOVED && (!c->direct || *length == room);
  c->transfer->response.bytes_received += *length;
  return result;
}

carrier_result websocket_carrier_write(websocket_carrier *c, const char *bytes, size_t length,
                                       size_t *written, error *e)
{
  c->transfer->handle->hint[0] = 0;
  *written = 0;
  carrier_result result;
  if (c->direct) {
    ssize_t sent = send(c->socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    result = moved_directly(c, sent, written, e, "write");
  } else {
    CURLcode code = curl_easy_send(c->transfer->handle->easy, bytes, length, written);
    result = moved_by_libcurl(c, code, *written, e, "write");
  }
  c->transfer->exchange.bytes_sent += *written;
  return result;
}

/* A socket with unread input is reset when it closes, and what was written may be lost. */
static void drop_input(const websocket_carrier *c)
{
  enum { MAX_READS = 16 };
  char unwanted[16 * 1024];
  if (!c->direct || c->socket < 0) return;
  for (int i = 0; i < MAX_READS && recv(c->socket, unwanted, sizeof unwanted, MSG_DONTWAIT) > 0; i++) {
  }
}

void websocket_carrier_close(websocket_carrier *c)
{
  transfer *t = c->transfer;
  if (!t) return;
  drop_input(c);
  let_go(c);
  c->transfer = NULL;
  c->socket = -1;
  transfer_free(t);
}
