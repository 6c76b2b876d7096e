/* The budgets of lur_options, as a host sees them. */
#include "support/host.h"

#include <math.h>

static host h;

static void open_with(uv_loop_t *loop, unsigned long long requests, double seconds)
{
  lur_options options;
  h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.loop = loop;
  options.ud = &h;
  options.print = host_print;
  options.max_requests = requests;
  options.max_seconds = seconds;
  if (!check(lur_open(&h.runtime, &options) == LUR_OK)) exit(1);
}

static bool starts_with(const char *text, const char *prefix)
{
  return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

#define SERVED                                                                                               \
  "local http = require 'lurcher.http' "                                                                     \
  "local s = require('lurcher.server').start(function() return 'ok' end, { grace = 0 }) "

static void test_requests(void)
{
  open_with(NULL, 2, 0);
  check(lur_budget_report(h.runtime) == NULL);
  host_start(&h, SERVED "print(http.get(s.url).body, http.get(s.url).body)", NULL);
  lur_run(h.runtime);
  check(h.status == LUR_OK); /* used up, but nothing was refused */
  check(lur_budget_report(h.runtime) == NULL);
  host_start(&h, SERVED "print(http.get(s.url).body) error 'not caught'", NULL);
  lur_run(h.runtime);
  check(h.status == LUR_BUDGET);
  check(starts_with(h.report, "the run's budget of 2 requests is used up\n\trequests made: 2, refused: 1; "));
  check(strstr(h.report, "attempt to index a nil value"));
  check(starts_with(lur_budget_report(h.runtime), "the run's budget of 2 requests is used up\n"));
  check(!strstr(lur_budget_report(h.runtime), "attempt to index"));
  host_start(&h, "return 1", NULL); /* the host can tell by it that it is over */
  lur_run(h.runtime);
  check(h.status == LUR_BUDGET);
  host_close(&h);
  check_string(h.output, "ok\tok\n");
}

static void test_closing_before_the_scripts_have_ended(void)
{
  uv_loop_t loop;
  uv_loop_init(&loop);
  open_with(&loop, 1, 0);
  host_start(&h, SERVED "http.get(s.url) http.get(s.url) print 'refused' require('lurcher.task').sleep(100)",
             NULL);
  while (!h.output_length) uv_run(&loop, UV_RUN_ONCE);
  host_close(&h);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(h.status == LUR_BUDGET && h.closed == 1);
  check(uv_loop_close(&loop) == 0);
}

static void test_seconds(void)
{
  uv_loop_t loop;
  uv_loop_init(&loop);
  open_with(&loop, 0, 0.02);
  for (int i = 0; i < 3; i++) host_start(&h, "require('lurcher.task').sleep(100)", NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(h.done == 3 && h.status == LUR_BUDGET);
  check(starts_with(h.report, "the run's budget of 0.02 s is used up\n\trequests made: 0, refused: 0; "));
  check(strstr(h.report, "task 3 waits for a sleep at script.lua:1"));
  host_start(&h, SERVED "print(select(2, http.get(s.url)).kind)", NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  check_string(h.output, "limit\n");
  host_close(&h);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop) == 0);
}

static void test_nonsense(void)
{
  lur_options options;
  lur_runtime *runtime;
  lur_options_init(&options);
  for (int i = 0; i < 2; i++) {
    options.max_seconds = i ? NAN : -1;
    check(lur_open(&runtime, &options) == LUR_INVALID);
  }
  check(lur_budget_report(NULL) == NULL);
}

int main(void)
{
  test_requests();
  test_closing_before_the_scripts_have_ended();
  test_seconds();
  test_nonsense();
  return unit_end();
}
