/* lur_run_for and lur_loop, as a host with a loop of its own uses them. */
#include "support/host.h"

static host h;

static void test_returns_when_nothing_is_left(void)
{
  host_open(&h, NULL);
  host_start(&h, "require('lurcher.task').sleep(0.005) print 'done'", NULL);
  check(lur_run_for(h.runtime, 1000) == LUR_OK);
  check(h.done == 1 && h.status == LUR_OK);
  check_string(h.output, "done\n");
  check(lur_run_for(h.runtime, 1000) == LUR_OK);
  check(lur_run_for(h.runtime, 0) == LUR_OK);
  host_close(&h);
}

static void test_runs_a_while(void)
{
  host_open(&h, NULL);
  host_start(&h, "local task = require 'lurcher.task' print 'begun' task.sleep(1000)", NULL);
  check(lur_run_for(h.runtime, 0) == LUR_OK);
  check_string(h.output, "begun\n");
  uint64_t before = uv_hrtime();
  check(lur_run_for(h.runtime, 0.01) == LUR_OK);
  check(uv_hrtime() - before >= 9 * 1000 * 1000);
  check(h.done == 0);
  lur_task_cancel(h.task, NULL);
  check(lur_run_for(h.runtime, 1000) == LUR_OK);
  check(h.done == 1 && h.status == LUR_CANCELED);
  host_close(&h);
}

/* What waits for another task may be helped by the next script. */
static void test_breaks_no_deadlock(void)
{
  host_open(&h, NULL);
  host_start(&h, "event = require('lurcher.task').event() event:wait() print 'set'", NULL);
  check(lur_run_for(h.runtime, 1000) == LUR_OK); /* at once: nothing of the loop is waited for */
  check(h.done == 0);
  host_start(&h, "event:set()", NULL);
  check(lur_run_for(h.runtime, 1000) == LUR_OK);
  check(h.done == 2);
  check_string(h.output, "set\n");
  host_close(&h);
}

static void stop_loop(void *ud) { uv_stop(lur_loop(((host *)ud)->runtime)); }

static void on_tick(uv_timer_t *tick) { uv_stop(tick->loop); }

static void test_host_handles_and_stop(void)
{
  uv_timer_t tick;
  host_open(&h, NULL);
  uv_timer_init(lur_loop(h.runtime), &tick);
  uv_timer_start(&tick, on_tick, 2, 0);
  host_start(&h, "require('lurcher.task').sleep(1000)", NULL);
  check(lur_run_for(h.runtime, 1000) == LUR_OK); /* ended by on_tick */
  uv_close((uv_handle_t *)&tick, NULL);
  h.on_line = stop_loop;
  host_start(&h, "print 'stops'", NULL);
  check(lur_run_for(h.runtime, 1000) == LUR_OK);
  check_string(h.output, "stops\n");
  host_close(&h);
  check(h.closed == 1);
}

static void run_within(void *ud) { check(lur_run_for(((host *)ud)->runtime, 0) == LUR_INVALID); }

static void test_misuse(void)
{
  uv_loop_t loop;
  check(lur_run_for(NULL, 0) == LUR_INVALID && lur_loop(NULL) == NULL);
  uv_loop_init(&loop);
  host_open(&h, &loop);
  check(lur_loop(h.runtime) == &loop);
  check(lur_run_for(h.runtime, 1) == LUR_INVALID);
  check_string(lur_error(h.runtime), "the loop is the host's: the host runs it");
  host_close(&h);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop) == 0);

  host_open(&h, NULL);
  check(lur_run_for(h.runtime, -1) == LUR_INVALID);
  check_string(lur_error(h.runtime), "the number of seconds is negative, or none");
  h.on_line = run_within;
  host_start(&h, "print 'within'", NULL);
  check(lur_run_for(h.runtime, 1000) == LUR_OK);
  check_string(lur_error(h.runtime), "the loop runs already");
  host_close(&h);
}

static void close_within(void *ud) { host_close(ud); }

static void test_close_within(void)
{
  host_open(&h, NULL);
  h.on_line = close_within;
  host_start(&h, "print 'closes' require('lurcher.task').sleep(1000)", NULL);
  check(lur_run_for(h.runtime, 1000) == LUR_OK);
  check(h.closed == 1 && h.status == LUR_CANCELED);
}

int main(void)
{
  test_returns_when_nothing_is_left();
  test_runs_a_while();
  test_breaks_no_deadlock();
  test_host_handles_and_stop();
  test_misuse();
  test_close_within();
  return unit_end();
}
