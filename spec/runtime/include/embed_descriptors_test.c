/* Another thread may be given the number of a socket as soon as libcurl has closed it. Here that always
 * happens: close() of a socket that connects gives its number to the host's own socket at once. */
#include "support/host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static uv_loop_t loop;
static int pair[2]; /* the host's connection */
static int stolen = -1;
static bool stealing;

static bool is_connecting(int fd)
{
  struct tcp_info info;
  socklen_t length = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_SYN_SENT;
}

/* For libcurl, too. */
__attribute__((visibility("default"))) int close(int fd)
{
  bool steal = stealing && stolen < 0 && is_connecting(fd);
  int result = (int)syscall(SYS_close, fd);
  if (steal) stolen = dup2(pair[0], fd);
  return result;
}

/* The URL of a listener that accepts nobody and whose queue is full. */
static void open_hole(char *url, size_t size)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), filler = socket(AF_INET, SOCK_STREAM, 0);
  check(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 0) == 0);
  getsockname(listener, (struct sockaddr *)&address, &length);
  check(connect(filler, (struct sockaddr *)&address, length) == 0);
  snprintf(url, size, "http://127.0.0.1:%d/", ntohs(address.sin_port));
}

static int heard;

static void on_readable(uv_poll_t *poll, int status, int events)
{
  (void)status, (void)events;
  heard++;
  uv_poll_stop(poll);
}

static void closed(uv_handle_t *poll) { (void)poll; }

/* Whether the loop tells of input on the host's connection. */
static void hears(uv_poll_t *poll, int times)
{
  char byte;
  check(write(pair[1], "x", 1) == 1);
  check(uv_poll_start(poll, UV_READABLE, on_readable) == 0);
  for (int i = 0; i < 100 && heard < times; i++) {
    uv_run(&loop, UV_RUN_NOWAIT);
    usleep(1000);
  }
  check(heard == times);
  check(read(stolen, &byte, 1) == 1);
}

/* Three requests in turn, each cancelled while it connects. */
static const char source[] =
    "local http, task = require 'lurcher.http', require 'lurcher.task'\n"
    "local url, api = ..., http.client { retry = false }\n"
    "for _ = 1, 3 do print((task.timeout(0.02, function() return api:get(url) end))) end\n";

int main(void)
{
  char url[64];
  host h;
  uv_poll_t poll;
  check(uv_loop_init(&loop) == 0);
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  open_hole(url, sizeof url);
  host_open(&h, &loop);
  stealing = true;
  host_start(&h, source, url);
  while (stolen < 0 && !h.done) uv_run(&loop, UV_RUN_ONCE);
  check(stolen >= 0);
  if (!check(uv_poll_init(&loop, &poll, stolen) == 0)) return unit_end();
  hears(&poll, 1);
  while (!h.done) uv_run(&loop, UV_RUN_ONCE);
  check(h.status == LUR_OK);
  check_string(h.output, "nil\nnil\nnil\n");
  hears(&poll, 2);
  host_close(&h);
  while (!h.closed) uv_run(&loop, UV_RUN_ONCE);
  hears(&poll, 3);
  uv_close((uv_handle_t *)&poll, closed);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop) == 0);
  return unit_end();
}
