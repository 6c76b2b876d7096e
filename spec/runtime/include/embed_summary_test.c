/* lur_summary and lur_options.record, as a host uses them. */
#include "support/host.h"

#include <stddef.h>

static host h;

typedef struct {
  char text[65536];
  int calls;
} summary;

static summary last;

static void on_summary(const char *text, size_t length, void *ud)
{
  summary *s = ud;
  size_t room = sizeof s->text - 1;
  memcpy(s->text, text, length < room ? length : room);
  s->text[length < room ? length : room] = 0;
  s->calls++;
}

static lur_status summarize(lur_summary_kind kind)
{
  last.text[0] = 0;
  last.calls = 0;
  return lur_summary(h.runtime, kind, 0, 0, on_summary, &last);
}

static void open_host(int record, lur_exit_fn on_exit)
{
  lur_options options;
  h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.ud = &h;
  options.print = host_print;
  options.exit = on_exit;
  options.record = record;
  if (!check(lur_open(&h.runtime, &options) == LUR_OK)) exit(1);
}

static const char requests[] = "local http = require 'lurcher.http'\n"
                               "local s = require('lurcher.server').start(function() return 'ok' end)\n"
                               "for i = 1, 3 do assert(http.get(s.url, { name = 'thing' })) end\n"
                               "s:stop()\n"
                               "if ... then os.exit(3) end print 'here'";

static void run_requests(const char *argument)
{
  check(host_start(&h, requests, argument) == LUR_OK);
  check(lur_run(h.runtime) == LUR_OK);
}

static void test_each_kind(void)
{
  open_host(1, NULL);
  run_requests(NULL);
  check(summarize(LUR_SUMMARY_STATS) == LUR_OK && last.calls == 1);
  /* beside long times the name is shortened in its middle */
  check(strstr(last.text, "thing http://127.") && strstr(last.text, "requests"));
  check(summarize(LUR_SUMMARY_EXPLAIN) == LUR_OK && last.calls == 1);
  check(strstr(last.text, "3 calls, 0 failed") != NULL);
  check(summarize(LUR_SUMMARY_HTML) == LUR_OK && last.calls == 1);
  check(strncmp(last.text, "<!DOCTYPE html>", 15) == 0);
  check(summarize(LUR_SUMMARY_PROMETHEUS) == LUR_OK && last.calls == 1);
  check(strstr(last.text, "# TYPE lurcher_requests_total counter\n") != NULL);
  host_close(&h);
}

static void test_without_any_request(void)
{
  open_host(1, NULL);
  check(summarize(LUR_SUMMARY_STATS) == LUR_OK);
  check_string(last.text, "no requests were made\n");
  check(summarize(LUR_SUMMARY_EXPLAIN) == LUR_OK);
  check_string(last.text, "no requests were made\n");
  host_close(&h);
}

static void test_what_is_refused(void)
{
  open_host(0, NULL);
  check(summarize(LUR_SUMMARY_EXPLAIN) == LUR_INVALID && last.calls == 0);
  check_string(lur_error(h.runtime), "this summary needs lur_options.record");
  check(summarize(LUR_SUMMARY_HTML) == LUR_INVALID);
  check(summarize((lur_summary_kind)99) == LUR_INVALID);
  check(lur_summary(h.runtime, LUR_SUMMARY_STATS, 0, 0, NULL, NULL) == LUR_INVALID);
  check(lur_summary(NULL, LUR_SUMMARY_STATS, 0, 0, on_summary, &last) == LUR_INVALID);
  check(summarize(LUR_SUMMARY_STATS) == LUR_OK);
  host_close(&h);
}

static lur_status from_print;

static void summarize_in_print(void *ud)
{
  (void)ud;
  from_print = summarize(LUR_SUMMARY_STATS);
}

static void test_not_in_a_callback_of_a_running_script(void)
{
  open_host(0, NULL);
  h.on_line = summarize_in_print;
  run_requests(NULL);
  check(from_print == LUR_INVALID && last.calls == 0);
  host_close(&h);
}

static lur_status from_timer;

static void on_tick(uv_timer_t *ticker)
{
  from_timer = summarize(LUR_SUMMARY_STATS);
  uv_close((uv_handle_t *)ticker, NULL);
}

static void close_after_done(void *ud) { host_close(ud); }

static void test_while_a_script_waits(void)
{
  uv_loop_t loop;
  uv_timer_t ticker;
  uv_loop_init(&loop);
  uv_timer_init(&loop, &ticker);
  uv_timer_start(&ticker, on_tick, 20, 0);
  host_open(&h, &loop);
  h.after_done = close_after_done;
  host_start(&h, "require('lurcher.task').sleep(0.2)", NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(from_timer == LUR_OK && h.status == LUR_OK && h.closed == 1);
  check_string(last.text, "no requests were made\n");
  check(uv_loop_close(&loop) == 0);
}

static lur_status from_exit;

static void on_exit_called(int code, void *ud)
{
  (void)ud;
  check(code == 3);
  from_exit = summarize(LUR_SUMMARY_EXPLAIN);
}

static void test_in_the_exit_callback(void)
{
  open_host(1, on_exit_called);
  run_requests("exit");
  check(from_exit == LUR_OK && strstr(last.text, "3 calls, 0 failed") != NULL);
  check(h.status == LUR_CANCELED);
  host_close(&h);
}

/* The runtime's own modules have a require of their own. */
static void test_when_a_script_broke_require(void)
{
  open_host(0, NULL);
  check(host_start(&h, "require = nil", NULL) == LUR_OK);
  lur_run(h.runtime);
  check(summarize(LUR_SUMMARY_STATS) == LUR_OK && last.calls == 1);
  host_close(&h);
}

static void test_hosts_of_older_headers(void)
{
  lur_options options;
  memset(&options, 0x55, sizeof options);
  lur_options_init_sized(&options, offsetof(lur_options, record));
  h = (host){0};
  check(lur_open(&h.runtime, &options) == LUR_OK);
  check(summarize(LUR_SUMMARY_EXPLAIN) == LUR_INVALID); /* record was not looked at */
  host_close(&h);
}

int main(void)
{
  test_each_kind();
  test_without_any_request();
  test_what_is_refused();
  test_not_in_a_callback_of_a_running_script();
  test_while_a_script_waits();
  test_in_the_exit_callback();
  test_when_a_script_broke_require();
  test_hosts_of_older_headers();
  return unit_end();
}
