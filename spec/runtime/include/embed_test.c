/* lurcher.h as a host sees it: scripts, their ends, cancellation, output, options. */
#include "lurcher_lua.h"
#include "support/host.h"

#include <malloc.h>
#include <stddef.h>

static host h;

#define SLEEPS "local task = require 'lurcher.task' task.sleep(100)"

static void test_done_comes_once_and_later(void)
{
  host_open(&h, NULL);
  for (int i = 0; i < 5; i++) check(host_start(&h, "return 1", NULL) == LUR_OK);
  check(h.done == 0);
  check(lur_run(h.runtime) == LUR_OK);
  check(h.done == 5);
  check(h.status == LUR_OK);
  check_string(h.report, "");
  check(lur_run(h.runtime) == LUR_OK); /* nothing to do */
  host_close(&h);
  check(h.done == 5 && h.closed == 1);
}

static void start_another(void *ud)
{
  host *self = ud;
  self->after_done = NULL;
  check(host_start(self, "print 'second'", NULL) == LUR_OK);
}

static void test_done_may_start_another_script(void)
{
  host_open(&h, NULL);
  h.after_done = start_another;
  host_start(&h, "print 'first'", NULL);
  lur_run(h.runtime);
  check_string(h.output, "first\nsecond\n");
  check(h.done == 2);
  host_close(&h);
}

static void test_defaults_suffice(void)
{
  lur_runtime *runtime;
  static const char source[] = "print 'to nobody' require('lurcher.log').error 'to nobody'";
  check(lur_open(&runtime, NULL) == LUR_OK);
  check(lur_start(runtime, "=x", source, strlen(source), 0, NULL, NULL, NULL, NULL) == LUR_OK);
  check(lur_run(runtime) == LUR_OK);
  lur_close(runtime, NULL, NULL);
}

static void test_hosts_of_older_headers(void)
{
  lur_options options;
  lur_runtime *runtime;
  memset(&options, 0x55, sizeof options);
  lur_options_init_sized(&options, offsetof(lur_options, trace));
  check(options.log_level == LUR_LOG_WARN);
  check(lur_open(&runtime, &options) == LUR_OK); /* and does not look at trace */
  static const char source[] = "require('lurcher.http').get('http://127.0.0.1:1/', { retry = false })";
  check(lur_start(runtime, "=x", source, strlen(source), 0, NULL, NULL, NULL, NULL) == LUR_OK);
  lur_run(runtime);
  lur_close(runtime, NULL, NULL);
  options.size = 1;
  check(lur_open(&runtime, &options) == LUR_INVALID);
  check(runtime == NULL);
}

static void test_refuses_what_it_does_not_heed(void)
{
  lur_options options;
  lur_runtime *runtime;
  lur_options_init(&options);
  check(options.libraries == 127);
  options.libraries = 128;
  check(lur_open(&runtime, &options) == LUR_INVALID);
  check(runtime == NULL);
  check_string(lur_status_name(LUR_LIMIT), "limit");
}

static void test_arguments(void)
{
  const char *const arguments[] = {"a", "b"};
  static const char source[] = "#!shebang\nprint(arg[0], arg[1], arg[2], ...)";
  host_open(&h, NULL);
  check(lur_set_arg(h.runtime, "name", 2, arguments) == LUR_OK);
  check(lur_start(h.runtime, "@x", source, strlen(source), 2, arguments, host_done, &h, NULL) == LUR_OK);
  lur_run(h.runtime);
  check_string(h.output, "name\ta\tb\ta\tb\n");
  host_close(&h);
}

static void test_errors_of_scripts(void)
{
  host_open(&h, NULL);
  check(host_start(&h, "local x = = 1", NULL) == LUR_SYNTAX);
  check_string(lur_error(h.runtime), "script.lua:1: unexpected symbol near '='");
  check(h.task == NULL);
  check(host_start(&h, "\nerror 'broken'", NULL) == LUR_OK);
  lur_run(h.runtime);
  check(h.done == 1);
  check(h.status == LUR_FAILED);
  check(strncmp(h.report, "script.lua:2: broken\nstack traceback:\n", 38) == 0);
  check(host_start(&h, "error { any = 'value' }", NULL) == LUR_OK);
  lur_run(h.runtime);
  check(h.status == LUR_FAILED);
  check(strstr(h.report, "the script raised a table: {\"any\":\"value\"}") == h.report);
  check(host_start(&h, "print 'a runtime outlives errors'", NULL) == LUR_OK);
  lur_run(h.runtime);
  check(h.status == LUR_OK);
  check_string(h.output, "a runtime outlives errors\n");
  host_close(&h);
}

static void test_os_exit_needs_the_host(void)
{
  host_run(&h, "print(pcall(os.exit, 1)) print(pcall(function() os.exit(1) end))");
  check(strncmp(h.output, "false\t", 6) == 0);
  check(strstr(h.output, "os.exit: this script runs inside another program"));
  check(strstr(h.output, ":1: os.exit: this script")); /* the caller's line */
  check(h.status == LUR_OK);
}

static void note_code(int code, void *ud) { *(int *)ud = code; }

static void test_os_exit_may_return(void)
{
  lur_options options;
  int code = -1;
  lur_options_init(&options);
  options.exit = note_code;
  options.ud = &code;
  host_open(&h, NULL);
  host_close(&h);
  check(lur_open(&h.runtime, &options) == LUR_OK);
  check(host_start(&h, "require('lurcher.task').spawn(function() os.exit(4) end) " SLEEPS, NULL) == LUR_OK);
  lur_run(h.runtime);
  check(code == 4);
  check(h.status == LUR_CANCELED);
  host_close(&h);
}

static void test_deadlock(void)
{
  host_run(&h, "require('lurcher.task').event():wait()");
  check(h.status == LUR_FAILED);
  check(strstr(h.report, "deadlock") && strstr(h.report, "script.lua:1"));
}

/* ---- cancellation ---- */

static void cancel_it(void *ud)
{
  host *self = ud;
  lur_task_cancel(self->task, "because");
  lur_task_cancel(self->task, "once more");
}

static void test_cancel_from_a_callback(void)
{
  host_open(&h, NULL);
  h.on_line = cancel_it;
  host_start(&h,
             "local t = require 'lurcher.task' t.defer(function() t.sleep(0.001) print 'end' end) print "
             "'go' " SLEEPS,
             NULL);
  lur_run(h.runtime);
  check(h.done == 1);
  check(h.status == LUR_CANCELED);
  check_string(h.report, "because");
  check_string(h.output, "go\nend\n");
  host_close(&h);
}

static void test_cancel_before_it_runs(void)
{
  host_open(&h, NULL);
  host_start(&h, "print 'ran'", NULL);
  lur_task *first = h.task;
  host_start(&h, "print 'other'", NULL);
  lur_task_cancel(first, NULL);
  lur_run(h.runtime);
  check(h.done == 2);
  check_string(h.output, "other\n");
  host_close(&h);
}

static void test_interrupt_ends_all(void)
{
  host_open(&h, NULL);
  for (int i = 0; i < 3; i++) host_start(&h, SLEEPS, NULL);
  lur_interrupt(h.runtime);
  lur_run(h.runtime);
  check(h.done == 3);
  check(h.status == LUR_CANCELED);
  host_start(&h, "print 'a runtime outlives interruptions'", NULL);
  lur_run(h.runtime);
  check(h.status == LUR_OK);
  host_close(&h);
}

static void test_drain_refuses_requests(void)
{
  host_open(&h, NULL);
  lur_drain(h.runtime);
  host_start(&h,
             "require('lurcher.task').sleep(0.001) "
             "local _, err = require('lurcher.http').get('http://127.0.0.1:1/') print(err.kind)",
             NULL);
  lur_run(h.runtime);
  check_string(h.output, "canceled\n");
  host_close(&h);
}

/* ---- what may not be called when ---- */

static void call_from_within(void *ud)
{
  host *self = ud;
  check(lur_run(self->runtime) == LUR_INVALID);
}

static void test_run_is_not_nested(void)
{
  host_open(&h, NULL);
  h.on_line = call_from_within;
  host_start(&h, "print 'x'", NULL);
  lur_run(h.runtime);
  check(h.status == LUR_OK);
  host_close(&h);
}

static void start_too_late(void *ud) { check(host_start(ud, "print 'too late'", NULL) == LUR_INVALID); }

static void test_nothing_starts_while_closing(void)
{
  host_open(&h, NULL);
  h.after_done = start_too_late;
  host_start(&h, SLEEPS, NULL);
  host_close(&h);
  check(h.closed == 1 && h.done == 1);
  check(h.status == LUR_CANCELED);
}

static void close_it(void *ud) { host_close(ud); }

static void test_close_from_callbacks(void)
{
  host_open(&h, NULL);
  h.on_line = close_it; /* Lua is on the C stack */
  host_start(&h, "print 'x' " SLEEPS, NULL);
  lur_run(h.runtime);
  check(h.closed == 1 && h.done == 1);
  check(h.status == LUR_CANCELED);

  host_open(&h, NULL);
  h.after_done = close_it;
  host_start(&h, "print 'x'", NULL);
  lur_run(h.runtime);
  check(h.closed == 1 && h.done == 1);
  check(h.status == LUR_OK);
}

/* ---- the host's loop ---- */

static void test_host_loop(void)
{
  uv_loop_t loop;
  uv_loop_init(&loop);
  host_open(&h, &loop);
  check(lur_run(h.runtime) == LUR_INVALID);
  check(uv_run(&loop, UV_RUN_DEFAULT) == 0); /* an idle runtime does not keep the host's loop running */
  host_start(&h, "require('lurcher.task').sleep(0.01) print 'slept'", NULL);
  check(h.done == 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(h.done == 1);
  check_string(h.output, "slept\n");
  host_close(&h);
  check(h.closed == 0); /* it returns at once, and goes on in the loop */
  uv_run(&loop, UV_RUN_DEFAULT);
  check(h.closed == 1);
  check(uv_loop_close(&loop) == 0); /* no handle is left */
}

static void test_two_runtimes_on_one_loop(void)
{
  static host a, b;
  uv_loop_t loop;
  uv_loop_init(&loop);
  host_open(&a, &loop);
  host_open(&b, &loop);
  host_start(&a, "x = 1 require('lurcher.task').sleep(0.005) print(x)", NULL);
  host_start(&b, "x = 2 require('lurcher.task').sleep(0.001) print(x)", NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  check_string(a.output, "1\n");
  check_string(b.output, "2\n");
  host_close(&a);
  host_close(&b);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(a.closed == 1 && b.closed == 1);
  check(uv_loop_close(&loop) == 0);
}

static void test_lua_state(void)
{
  host_open(&h, NULL);
  lua_State *L = lur_lua(h.runtime);
  int top = lua_gettop(L);
  lua_pushliteral(L, "the host's");
  lua_setglobal(L, "whose");
  host_start(&h, "print(whose)", NULL);
  lur_run(h.runtime);
  check_string(h.output, "the host's\n");
  check(lua_gettop(L) == top);
  host_close(&h);
}

static void test_names(void)
{
  check(strlen(lur_version()) >= 5);
  check_string(lur_status_name(LUR_OK), "ok");
  check_string(lur_status_name(LUR_BUDGET), "budget");
  check_string(lur_status_name((lur_status)99), "unknown");
}

/* Under AddressSanitizer mallinfo2 counts nothing, but its leak check does. */
static void test_a_thousand_runtimes_leave_nothing(void)
{
  size_t in_use = 0;
  int descriptors = 0;
  for (int i = 0; i <= 1000; i++) {
    if (i == 500) { /* OpenSSL's and libcurl's caches are full by now */
      in_use = mallinfo2().uordblks;
      descriptors = open_descriptors();
    }
    host_open(&h, NULL);
    host_start(&h, i % 2 ? "require('lurcher.http').get('http://127.0.0.1:1/', { retry = false })" : SLEEPS,
               NULL);
    if (i % 2) lur_run(h.runtime);
    host_close(&h);
    if (h.closed != 1 || h.done != 1) break;
  }
  check(h.closed == 1 && h.done == 1);
  check(open_descriptors() == descriptors);
  check(mallinfo2().uordblks < in_use + 65536);
}

int main(void)
{
  test_done_comes_once_and_later();
  test_done_may_start_another_script();
  test_defaults_suffice();
  test_hosts_of_older_headers();
  test_refuses_what_it_does_not_heed();
  test_arguments();
  test_errors_of_scripts();
  test_os_exit_needs_the_host();
  test_os_exit_may_return();
  test_deadlock();
  test_cancel_from_a_callback();
  test_cancel_before_it_runs();
  test_interrupt_ends_all();
  test_drain_refuses_requests();
  test_run_is_not_nested();
  test_nothing_starts_while_closing();
  test_close_from_callbacks();
  test_host_loop();
  test_two_runtimes_on_one_loop();
  test_lua_state();
  test_names();
  test_a_thousand_runtimes_leave_nothing();
  return unit_end();
}
