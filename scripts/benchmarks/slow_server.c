/* An HTTP/1.1 server that answers each request after a delay, for tens of thousands of connections at once:
 * slow_server PORT DELAY_MS. "GET /accepted" is answered at once with the number of connections accepted so
 * far.
 *
 * All answers are delayed by the same time, so they leave in the order of the requests: one queue and one
 * timer serve all connections. A connection has at most one request at a time (clients here do not pipeline).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { MAX_HEAD = 4096 };

typedef struct connection {
  uv_tcp_t tcp;
  struct connection *next; /* in the queue of waiting answers */
  uint64_t due_ms;
  size_t used;
  int queued, closed;
  char head[MAX_HEAD];
} connection;

static const char body[] = "{\"id\":12345,\"name\":\"widget\"}";
static uv_timer_t timer;
static connection *first, *last;
static uint64_t delay_ms;
static long accepted;

static void on_closed(uv_handle_t *handle)
{
  connection *c = (connection *)handle;
  c->closed = 1;
  if (!c->queued) free(c); /* else when its turn in the queue comes */
}

static void close_connection(connection *c)
{
  if (!uv_is_closing((uv_handle_t *)&c->tcp)) uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void answer(connection *c, const char *text)
{
  char bytes[512];
  int length = snprintf(bytes, sizeof bytes,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        strlen(text), text);
  uv_buf_t buffer = uv_buf_init(bytes, (unsigned)length);
  /* So short an answer always fits into the socket buffer of an idle connection. */
  if (uv_try_write((uv_stream_t *)&c->tcp, &buffer, 1) != length) close_connection(c);
}

static void on_timer(uv_timer_t *unused)
{
  (void)unused;
  uint64_t now = uv_now(timer.loop);
  while (first && first->due_ms <= now) {
    connection *c = first;
    first = c->next;
    if (!first) last = NULL;
    c->queued = 0;
    if (c->closed)
      free(c);
    else if (!uv_is_closing((uv_handle_t *)&c->tcp))
      answer(c, body);
  }
  if (first) uv_timer_start(&timer, on_timer, first->due_ms - now, 0);
}

static void enqueue(connection *c)
{
  c->queued = 1;
  c->next = NULL;
  c->due_ms = uv_now(timer.loop) + delay_ms;
  if (last)
    last->next = c;
  else
    first = c;
  last = c;
  if (!uv_is_active((uv_handle_t *)&timer)) uv_timer_start(&timer, on_timer, delay_ms, 0);
}

static void on_space(uv_handle_t *handle, size_t unused, uv_buf_t *buffer)
{
  (void)unused;
  connection *c = (connection *)handle;
  *buffer = uv_buf_init(c->head + c->used, (unsigned)(MAX_HEAD - 1 - c->used));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *unused)
{
  (void)unused;
  connection *c = (connection *)stream;
  if (count < 0) {
    close_connection(c);
    return;
  }
  c->used += (size_t)count;
  c->head[c->used] = 0;
  if (c->used < 4 || memcmp(c->head + c->used - 4, "\r\n\r\n", 4) != 0) return;
  c->used = 0;
  if (strncmp(c->head, "GET /accepted ", 14) == 0) {
    char text[64];
    snprintf(text, sizeof text, "{\"accepted\":%ld}", accepted);
    answer(c, text);
  } else if (!c->queued) {
    enqueue(c);
  }
}

static void on_connection(uv_stream_t *listener, int status)
{
  if (status < 0) return;
  connection *c = calloc(1, sizeof *c);
  if (!c) abort();
  uv_tcp_init(listener->loop, &c->tcp);
  if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
    close_connection(c);
    return;
  }
  accepted++;
  uv_read_start((uv_stream_t *)&c->tcp, on_space, on_read);
}

int main(int argc, char **argv)
{
  if (argc != 3) {
    fprintf(stderr, "usage: %s PORT DELAY_MS\n", argv[0]);
    return 2;
  }
  delay_ms = (uint64_t)atoi(argv[2]);
  uv_loop_t *loop = uv_default_loop();
  uv_timer_init(loop, &timer);
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address);
  uv_tcp_t listener;
  uv_tcp_init(loop, &listener);
  int status = uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0);
  if (status == 0) status = uv_listen((uv_stream_t *)&listener, 20000, on_connection);
  if (status != 0) {
    fprintf(stderr, "slow_server: %s\n", uv_strerror(status));
    return 1;
  }
  return uv_run(loop, UV_RUN_DEFAULT);
}
