/* Closing, cancelling and interrupting a runtime at every point of a script with requests in flight, and
 * runtimes in several threads. */
#include "support/host.h"

#include <signal.h>

/* Answers plainly, slowly, in pieces, never, and by a cut. */
static const char server_source[] =
    "local server, task = require 'lurcher.server', require 'lurcher.task'\n"
    "local never = task.event()\n"
    "local s = server.start({ tls = ... == 'tls', handler = function(req)\n"
    "  local n = tonumber(req.path:match('%d+')) % 5\n"
    "  if n == 1 then task.sleep(0.002) end\n"
    "  if n == 2 then return { status = 302, headers = { Location = '/0' } } end\n"
    "  if n == 3 then\n"
    "    local left = 5\n"
    "    return { body = function()\n"
    "      task.sleep(0.001)\n"
    "      left = left - 1\n"
    "      return left >= 0 and ('x'):rep(1000) or nil\n"
    "    end }\n"
    "  end\n"
    "  if n == 4 then task.sleep(0.004) end\n"
    "  return { body = ('y'):rep(100) }\n"
    "end })\n"
    "print(s.url)\n"
    "never:wait()\n";

static const char client_source[] =
    "local http, task = require 'lurcher.http', require 'lurcher.task'\n"
    "local api = http.client { base_url = ..., limits = { per_origin = 8 }, tls = { verify = false } }\n"
    "task.defer(function() task.sleep(0.0005) end)\n"
    "local numbers = {}\n"
    "for i = 1, 20 do numbers[i] = i end\n"
    "task.map(numbers, function(i)\n"
    "  task.defer(function() task.sleep(0.0005) end)\n"
    "  if i % 2 == 0 then return assert(api:get('items/' .. i)).body end\n"
    "  local res = assert(api:get('items/' .. i, { stream = true }))\n"
    "  for chunk in res:chunks() do task.yield() end\n"
    "end, { concurrency = 20 })\n"
    "print 'complete'\n";

static uv_loop_t loop;
static char url[64];

static void open_server(host *server, const char *scheme)
{
  host_open(server, &loop);
  host_start(server, server_source, scheme);
  while (server->output_length == 0) uv_run(&loop, UV_RUN_ONCE);
  snprintf(url, sizeof url, "%.*s", (int)server->output_length - 1, server->output);
}

static void close_server(host *server)
{
  host_close(server);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(server->closed == 1 && server->done == 1);
}

typedef enum { CLOSE, CANCEL, INTERRUPT } act;

/* Lets the script run for `events` turns of the loop, acts, and waits until the runtime is gone. True: the
 * script was not complete by then. */
static bool act_after(int events, act what)
{
  static host client;
  host_open(&client, &loop);
  if (!check(host_start(&client, client_source, url) == LUR_OK)) return false;
  for (int i = 0; i < events && !client.done; i++) uv_run(&loop, UV_RUN_ONCE);
  bool in_time = !client.done;
  if (in_time && what == CANCEL) lur_task_cancel(client.task, "test");
  if (in_time && what == INTERRUPT) lur_interrupt(client.runtime);
  if (what != CLOSE)
    while (!client.done) uv_run(&loop, UV_RUN_ONCE);
  host_close(&client);
  while (!client.closed) uv_run(&loop, UV_RUN_ONCE);
  check(client.done == 1);
  check(client.closed == 1);
  /* What was ready already may still have brought it to its end. */
  check(client.status == LUR_OK ? strcmp(client.output, "complete\n") == 0 : client.status == LUR_CANCELED);
  if (client.status == LUR_FAILED) fprintf(stderr, "%s\n", client.report);
  return in_time;
}

static void test_at_every_event(act what, const char *scheme)
{
  static host server;
  uv_loop_init(&loop);
  open_server(&server, scheme);
  act_after(1000000, what); /* once to its end: what is opened only once is open now */
  int events = 0;
  while (events < 3000 && act_after(events, what)) events++;
  check(events > 5 && events < 3000);
  close_server(&server);
  check(uv_loop_close(&loop) == 0);
}

static void test_descriptors_are_closed(void)
{
  static host server;
  uv_loop_init(&loop);
  int before = open_descriptors();
  open_server(&server, "tls");
  for (int events = 3; events < 60; events += 7) act_after(events, CLOSE);
  close_server(&server);
  check(open_descriptors() == before);
  uv_loop_close(&loop);
}

/* ---- threads ---- */

static void *interrupt_soon(void *ud)
{
  lur_interrupt(ud);
  return NULL;
}

static void test_interrupt_from_another_thread(void)
{
  for (int i = 0; i < 20; i++) {
    static host h;
    pthread_t thread;
    host_open(&h, NULL);
    host_start(&h, "require('lurcher.task').sleep(100)", NULL);
    check(pthread_create(&thread, NULL, interrupt_soon, h.runtime) == 0);
    lur_run(h.runtime);
    pthread_join(thread, NULL);
    check(h.done == 1 && h.status == LUR_CANCELED);
    host_close(&h);
  }
}

static lur_runtime *of_signal;

static void on_signal(int number)
{
  (void)number;
  lur_interrupt(of_signal);
}

static void test_interrupt_from_a_signal_handler(void)
{
  static host h;
  host_open(&h, NULL);
  of_signal = h.runtime;
  signal(SIGUSR1, on_signal);
  host_start(&h, "require('lurcher.task').sleep(100)", NULL);
  raise(SIGUSR1);
  lur_run(h.runtime);
  check(h.done == 1 && h.status == LUR_CANCELED);
  signal(SIGUSR1, SIG_DFL);
  host_close(&h);
}

/* Serves itself: every part of a runtime works in several threads at once. */
static const char busy_source[] =
    "local server, http, task = require 'lurcher.server', require 'lurcher.http', require 'lurcher.task'\n"
    "local s = server.start(function(req) return { body = req.path, headers = { ['X-A'] = 'b' } } end)\n"
    "local api = http.client { base_url = s.url }\n"
    "local numbers = {}\n"
    "for i = 1, 100 do numbers[i] = i end\n"
    "task.map(numbers, function(i) assert(assert(api:get('p/' .. i)).body == '/p/' .. i) end)\n"
    "assert(not http.get('http://127.0.0.1:1/', { retry = false }))\n"
    "assert(not require('lurcher.json').decode '{')\n"
    "s:stop()\n";

typedef struct {
  pthread_t thread;
  int done, ok;
  char report[512];
} busy;

static void busy_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  busy *b = ud;
  (void)task;
  b->done++;
  b->ok += status == LUR_OK;
  if (report) snprintf(b->report, sizeof b->report, "%s", report);
}

static void *run_busy(void *ud)
{
  for (int i = 0; i < 5; i++) {
    lur_runtime *runtime;
    if (lur_open(&runtime, NULL) != LUR_OK) return NULL;
    if (lur_start(runtime, "@busy", busy_source, strlen(busy_source), 0, NULL, busy_done, ud, NULL) == LUR_OK)
      lur_run(runtime);
    lur_close(runtime, NULL, NULL);
  }
  return NULL;
}

static void test_runtimes_in_threads(void)
{
  static busy all[3];
  for (int i = 0; i < 3; i++) check(pthread_create(&all[i].thread, NULL, run_busy, &all[i]) == 0);
  for (int i = 0; i < 3; i++) {
    pthread_join(all[i].thread, NULL);
    check(all[i].done == 5);
    check_string(all[i].report, "");
  }
}

static void test_null(void)
{
  check(lur_open(NULL, NULL) == LUR_INVALID);
  check(lur_start(NULL, "@x", "", 0, 0, NULL, NULL, NULL, NULL) == LUR_INVALID);
  check(lur_set_arg(NULL, "x", 0, NULL) == LUR_INVALID);
  check(lur_run(NULL) == LUR_INVALID);
  check_string(lur_error(NULL), "");
  lur_task_cancel(NULL, "none");
  lur_interrupt(NULL);
  lur_drain(NULL);
  lur_close(NULL, NULL, NULL);
}

int main(void)
{
  signal(SIGPIPE, SIG_IGN);
  test_null();
  test_runtimes_in_threads();
  test_interrupt_from_another_thread();
  test_interrupt_from_a_signal_handler();
  test_at_every_event(CLOSE, "plain");
  test_at_every_event(CLOSE, "tls");
  test_at_every_event(CANCEL, "plain");
  test_at_every_event(CANCEL, "tls");
  test_at_every_event(INTERRUPT, "plain");
  test_at_every_event(INTERRUPT, "tls");
  test_descriptors_are_closed();
  return unit_end();
}
