/* Modules are loaded when a request comes to need them, wherever that is: memory runs out at each of many
 * allocations meanwhile, and the next request finds everything whole. And of a thousand runtimes, each of
 * which makes a request, nothing is left. */
#include "lurcher_lua.h"
#include "support/host.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/socket.h>

/* Of some thousand allocations; a prime, so that they are not always of the same kind. */
enum { STEP = 37 };

static const char script[] =
    "local http, url = require 'lurcher.http', (...)\n"
    "local function use()\n"
    "  local res = assert(http.get(url))\n"
    "  assert(res:json().a == 1 and res.headers['content-type'] == 'application/json')\n"
    "  assert(assert(http.get(url .. 'moved')).history[1].status == 302)\n"
    "  assert(assert(http.get(url, { headers = { A = 'b' }, timeout = 60 })).ok)\n"
    "  return true\n"
    "end\n"
    "local ok, err = pcall(coroutine.wrap(use))\n"
    "if not ok and not tostring(err):find 'memory' then error(err, 0) end\n"
    "print(use())\n";

static long count, fail_at;
static lua_Alloc usual;

static void *allocate(void *ud, void *block, size_t old_size, size_t size)
{
  return size && ++count == fail_at ? NULL : usual(ud, block, old_size, size);
}

/* ---- a server ---- */

static int listener;

/* Whether one request was answered. */
static bool answer(int connection)
{
  static const char fine[] =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
                    moved[] = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
  char head[4096];
  size_t length = 0;
  ssize_t got;
  do {
    got = recv(connection, head + length, sizeof head - 1 - length, 0);
    if (got <= 0) return false;
    length += (size_t)got;
    head[length] = 0;
  } while (!strstr(head, "\r\n\r\n"));
  const char *text = strncmp(head, "GET /moved", 10) == 0 ? moved : fine;
  return send(connection, text, strlen(text), MSG_NOSIGNAL) > 0;
}

static void *serve_one(void *ud)
{
  int connection = *(int *)ud;
  free(ud);
  while (answer(connection))
    ;
  close(connection);
  return NULL;
}

static void *serve(void *ud)
{
  (void)ud;
  for (int connection; (connection = accept(listener, NULL, NULL)) >= 0;) {
    pthread_t thread;
    int *given = malloc(sizeof *given);
    *given = connection;
    pthread_create(&thread, NULL, serve_one, given);
    pthread_detach(thread);
  }
  return NULL;
}

static pthread_t start_server(char *url, size_t size)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  pthread_t thread;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool listens = bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 16) == 0 &&
                 getsockname(listener, (struct sockaddr *)&address, &length) == 0;
  if (!check(listens) || pthread_create(&thread, NULL, serve, NULL) != 0) exit(1);
  snprintf(url, size, "http://127.0.0.1:%d/", ntohs(address.sin_port));
  return thread;
}

/* ---- runtimes ---- */

static lur_status run(const char *source, const char *url, unsigned libraries, host *h)
{
  lur_options options;
  void *ud;
  *h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.ud = h;
  options.print = host_print;
  if (libraries) options.libraries = libraries;
  if (!check(lur_open(&h->runtime, &options) == LUR_OK)) exit(1);
  usual = lua_getallocf(lur_lua(h->runtime), &ud);
  lua_setallocf(lur_lua(h->runtime), allocate, ud);
  count = 0;
  lur_status status = host_start(h, source, url);
  if (status == LUR_OK) {
    lur_run(h->runtime);
    status = h->status;
  }
  host_close(h);
  check(h->closed == 1);
  return status;
}

static void run_all(const char *url, unsigned libraries)
{
  host h;
  long all;
  fail_at = 0;
  check(run(script, url, libraries, &h) == LUR_OK);
  check_string(h.output, "true\n");
  all = count;
  for (fail_at = 1; fail_at < all; fail_at += STEP) {
    lur_status status = run(script, url, libraries, &h);
    bool well = status == LUR_NO_MEMORY || (status == LUR_OK && strcmp(h.output, "true\n") == 0);
    if (!check(well)) fprintf(stderr, "  allocation %ld: %d, %s%s\n", fail_at, status, h.output, h.report);
  }
}

/* Under AddressSanitizer mallinfo2 counts nothing, but its search for leaks does. */
static void test_a_thousand_leave_nothing(const char *url)
{
  static const char *const sources[] = {
      "assert(require('lurcher.http').get((...)):json().a == 1)",
      "assert(require('lurcher.http').client { timeout = 60 }:get((...)).ok)"};
  size_t in_use = 0;
  int descriptors = 0;
  host h = {.status = LUR_OK};
  for (int i = 0; i <= 1000 && h.status == LUR_OK; i++) {
    if (i == 500) { /* OpenSSL's and libcurl's caches are full by now */
      in_use = mallinfo2().uordblks;
      descriptors = open_descriptors();
    }
    run(sources[i % 2], url, 0, &h);
  }
  check(h.status == LUR_OK);
  check_string(h.report, "");
  for (int i = 0; i < 1000 && open_descriptors() > descriptors; i++) usleep(10000); /* the server's ends */
  check(open_descriptors() <= descriptors);
  check(mallinfo2().uordblks < in_use + 65536);
}

int main(void)
{
  char url[64];
  pthread_t server = start_server(url, sizeof url);
  run_all(url, 0);
  run_all(url, LUR_SANDBOX);
  fail_at = 0;
  test_a_thousand_leave_nothing(url);
  shutdown(listener, SHUT_RDWR);
  pthread_join(server, NULL);
  close(listener);
  return unit_end();
}
