/* The public header: scripts started, cancelled and closed in every way, on the runtime's loop and on the
 * host's. */
#include "lurcher.h"

#include "support/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

typedef struct {
  int done;
  lur_status status;
  char report[4096];
  char printed[4096];
  size_t printed_length;
  int closed, exits, exit_code;
  lur_runtime *runtime; /* closed from `done` when set */
} seen;

static void on_print(const char *text, size_t length, void *ud)
{
  seen *s = ud;
  if (s->printed_length + length >= sizeof s->printed) return;
  memcpy(s->printed + s->printed_length, text, length);
  s->printed[s->printed_length += length] = 0;
}

static void on_closed(void *ud) { ((seen *)ud)->closed++; }

static void on_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  seen *s = ud;
  (void)task;
  s->done++;
  s->status = status;
  snprintf(s->report, sizeof s->report, "%s", report ? report : "");
  if (s->runtime) lur_close(s->runtime, on_closed, s);
}

static void on_exit_called(int code, void *ud)
{
  seen *s = ud;
  s->exits++;
  s->exit_code = code;
}

static lur_runtime *open_runtime(seen *s, uv_loop_t *loop)
{
  lur_options options;
  lur_runtime *runtime = NULL;
  memset(s, 0, sizeof *s);
  s->status = LUR_INVALID;
  lur_options_init(&options);
  options.ud = s;
  options.print = on_print;
  options.exit = on_exit_called;
  options.loop = loop;
  check(lur_open(&runtime, &options) == LUR_OK);
  return runtime;
}

static lur_status start(lur_runtime *runtime, const char *source, seen *s, lur_task **task)
{
  return lur_start(runtime, "@spec.lua", source, strlen(source), 0, NULL, on_done, s, task);
}

/* Runs one script to its end. */
static void run(seen *s, const char *source)
{
  lur_runtime *runtime = open_runtime(s, NULL);
  check(start(runtime, source, s, NULL) == LUR_OK);
  check(s->done == 0);
  check(lur_run(runtime) == LUR_OK);
  check(s->done == 1);
  lur_close(runtime, on_closed, s);
  check(s->closed == 1);
}

static void test_outcomes(void)
{
  seen s;
  run(&s, "print('hello', 1, nil) require('lurcher.task').sleep(0.001) print('again')");
  check(s.status == LUR_OK);
  check_string(s.printed, "hello\t1\tnil\nagain\n");

  run(&s, "local function fails() error('broken') end\nfails()");
  check(s.status == LUR_FAILED);
  check_string(s.report, "spec.lua:1: broken\nstack traceback:\n\t[C]: in function 'error'\n"
                         "\tspec.lua:1: in function 'fails'\n\tspec.lua:2: in main chunk");

  run(&s, "local task = require 'lurcher.task'\ntask.spawn(function() task.yield() error({}) "
          "end)\ntask.sleep(60)");
  check(s.status == LUR_FAILED);
  check(strstr(s.report, "the script raised a table: {}") == s.report);
  check(strstr(s.report, "spawned at spec.lua:2") != NULL);

  run(&s, "error(setmetatable({}, { __tostring = function() return 'shown' end }))");
  check(strstr(s.report, "shown\nstack traceback") == s.report);
  run(&s, "error(setmetatable({}, { __tostring = function() require('lurcher.task').sleep(1) end,"
          " __index = function() error('not asked for') end }))");
  check(strstr(s.report, "(the error is a table value)") == s.report);

  run(&s, "require 'lurcher.task' return nil, package.loaded['lurcher.base.errors'].new { kind = 'dns', "
          "message = 'no such host' }");
  check(s.status == LUR_FAILED);
  check(strstr(s.report, "dns: no such host") == s.report);

  run(&s, "#!/usr/bin/env lurcher\nerror('second line')");
  check(strstr(s.report, "spec.lua:2: second line") == s.report);

  run(&s, "os.exit(7)");
  check(s.exits == 1);
  check(s.exit_code == 7);
  check(s.status == LUR_CANCELED);

  run(&s, "local task = require 'lurcher.task'\n"
          "task.defer(function() task.sleep(0.001) print('cleaned up') end)\n"
          "task.shield(function() pcall(os.exit, 3) print('not reached') end) print('neither')");
  check(s.exit_code == 3);
  check_string(s.printed, "cleaned up\n");

  run(&s, "require('lurcher.task').current():cancel() require('lurcher.task').yield()");
  check(s.status == LUR_CANCELED);
}

static void test_deadlock(void)
{
  seen s;
  run(&s, "local task = require 'lurcher.task'\n"
          "local event = task.event()\n"
          "task.spawn(function() event:wait() end)\n"
          "task.defer(function() print('cleaned up') end)\n"
          "task.queue():get()");
  check(s.status == LUR_FAILED);
  check(strstr(s.report, "deadlock") == s.report);
  check(strstr(s.report, "waits for a value in a queue at spec.lua:5") != NULL);
  check(strstr(s.report, "waits for an event at spec.lua:3 (spawned at spec.lua:3)") != NULL);
  check_string(s.printed, "cleaned up\n");

  run(&s, "local native = package.loaded['lurcher.native.task']\n"
          "require('lurcher.task').spawn(function() coroutine.wrap(function() native.park('number ' .. 7) "
          "end)() end)\n"
          "require('lurcher.task').spawn(function() collectgarbage() collectgarbage() native.park('a' .. "
          "'b') end)");
  check(strstr(s.report, "waits for number 7 at spec.lua:2") != NULL);
  check(strstr(s.report, "waits for ab at spec.lua:3") != NULL);

  run(&s, "local task = require 'lurcher.task' task.shield(function() task.event():wait() end)");
  check(s.status == LUR_FAILED);
  check(strstr(s.report, "deadlock") == s.report);
}

static void test_errors_of_calls(void)
{
  seen s;
  lur_runtime *runtime = open_runtime(&s, NULL);
  lur_task *task = (lur_task *)&s;
  check(start(runtime, "x = = 1", &s, &task) == LUR_SYNTAX);
  check(task == NULL);
  check_string(lur_error(runtime), "spec.lua:1: unexpected symbol near '='");
  check(lur_run(runtime) == LUR_OK);
  check(s.done == 0);
  check(start(runtime, "", &s, NULL) == LUR_OK);
  check(start(runtime, "# only a comment", &s, NULL) == LUR_OK);
  check(lur_run(runtime) == LUR_OK);
  check(s.done == 2);
  lur_close(runtime, NULL, NULL);

  lur_options options;
  lur_options_init(&options);
  options.size = 4;
  runtime = (lur_runtime *)&s;
  check(lur_open(&runtime, &options) == LUR_INVALID);
  check(runtime == NULL);
  check(lur_open(&runtime, NULL) == LUR_OK);
  check(start(runtime, "print('dropped') assert(not pcall(os.exit, 1))", &s, NULL) == LUR_OK);
  lur_run(runtime);
  check(s.status == LUR_OK);
  lur_close(runtime, NULL, NULL);

  check_string(lur_status_name(LUR_OK), "ok");
  check_string(lur_status_name(LUR_BUDGET), "budget");
  check_string(lur_status_name((lur_status)99), "unknown");
  check(strchr(lur_version(), '.') != NULL);
}

static void *interrupt_soon(void *runtime)
{
  uv_sleep(20);
  lur_interrupt(runtime);
  return NULL;
}

static void check_refused(lur_runtime *runtime, lur_status status, const char *words)
{
  check(status == LUR_INVALID);
  check(strstr(lur_error(runtime), words) != NULL);
}

static void test_wrong_arguments(void)
{
  seen s;
  lur_runtime *runtime = open_runtime(&s, NULL);
  lur_task *task = (lur_task *)&s;
  const char *const none[] = {NULL};
  check_refused(runtime, lur_start(runtime, NULL, "", 0, 0, NULL, on_done, &s, &task), "chunkname");
  check(task == NULL);
  check_refused(runtime, lur_start(runtime, "@a", NULL, 1, 0, NULL, on_done, &s, NULL), "source");
  check_refused(runtime, lur_start(runtime, "@a", "", 0, -1, NULL, on_done, &s, NULL), "argc");
  check_refused(runtime, lur_start(runtime, "@a", "", 0, 1, NULL, on_done, &s, NULL), "argv");
  check_refused(runtime, lur_start(runtime, "@a", "", 0, 1, none, on_done, &s, NULL), "argument");
  check_refused(runtime, lur_start(runtime, "@a", "", 0, 1 << 30, none, on_done, &s, NULL), "20000");
  check_refused(runtime, lur_set_arg(runtime, NULL, 0, NULL), "name");
  check_refused(runtime, lur_set_arg(runtime, "a", -1, NULL), "argc");
  check_refused(runtime, lur_set_arg(runtime, "a", 1, none), "argument");
  check(lur_start(NULL, "@a", "", 0, 0, NULL, on_done, &s, NULL) == LUR_INVALID);
  check(lur_start(runtime, "@a", NULL, 0, 0, NULL, NULL, NULL, NULL) == LUR_OK);
  check(lur_run(runtime) == LUR_OK);
  check(s.done == 0);
  lur_close(runtime, NULL, NULL);
}

static void test_bytecode(void)
{
  seen s;
  lur_options options;
  lur_runtime *runtime = open_runtime(&s, NULL);
  static const char bytecode[] = "\033LJ\002\012\013\002\000\001\000\000\000\001\113\000\001\000\000";
  check(lur_start(runtime, "@a", bytecode, sizeof bytecode - 1, 0, NULL, on_done, &s, NULL) == LUR_OK);
  check(lur_run(runtime) == LUR_OK && s.done == 1);
  lur_close(runtime, NULL, NULL);
  lur_options_init(&options);
  options.libraries &= ~(unsigned)LUR_LIB_BYTECODE;
  check(lur_open(&runtime, &options) == LUR_OK);
  check(lur_start(runtime, "@a", bytecode, sizeof bytecode - 1, 0, NULL, on_done, &s, NULL) == LUR_SYNTAX);
  check(strstr(lur_error(runtime), "mode") != NULL);
  check(lur_start(runtime, "@a", "\xef\xbb\xbf\033LJ", 6, 0, NULL, on_done, &s, NULL) == LUR_SYNTAX);
  check(lur_start(runtime, "@a", "#!\n\033LJ", 6, 0, NULL, on_done, &s, NULL) == LUR_SYNTAX);
  lur_close(runtime, NULL, NULL);
}

/* Clean-up that takes too long is ended: the script was cancelled all the same. */
static void test_forced_cleanup(void)
{
  seen s;
  lur_runtime *runtime = open_runtime(&s, NULL);
  start(runtime,
        "local task = require 'lurcher.task'\n"
        "task.defer(function() task.sleep(60) end)\n"
        "task.spawn(function() task.defer(function() task.sleep(60) end) task.sleep(60) end)\n"
        "task.spawn(function() task.defer(function() task.sleep(60) end) end)\n"
        "task.sleep(0.001)\n"
        "pcall(task.sleep, 60)",
        &s, NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt_soon, runtime);
  lur_run(runtime);
  pthread_join(thread, NULL);
  check(s.status == LUR_CANCELED);
  check_string(s.report, "clean-up took longer than 4.5 seconds");
  lur_close(runtime, NULL, NULL);
}

static void test_arguments(void)
{
  seen s;
  lur_runtime *runtime = open_runtime(&s, NULL);
  const char *const arguments[] = {"one", "two"};
  const char *source = "print(arg[0], #arg, arg[2], select('#', ...), ...)";
  check(lur_set_arg(runtime, "name", 2, arguments) == LUR_OK);
  lur_start(runtime, "@spec.lua", source, strlen(source), 2, arguments, on_done, &s, NULL);
  lur_run(runtime);
  check_string(s.printed, "name\t2\ttwo\t2\tone\ttwo\n");
  lur_close(runtime, NULL, NULL);
}

static void test_cancel(void)
{
  seen s;
  lur_task *task;
  const char *source = "local task = require 'lurcher.task'\n"
                       "task.spawn(function() task.defer(function() task.sleep(0.001) print('child') end)"
                       " task.sleep(60) end)\n"
                       "task.defer(function() print('main') end)\n"
                       "task.spawn(function() print(pcall(task.sleep, 60)) end)\n"
                       "task.sleep(60)";
  lur_runtime *runtime = open_runtime(&s, NULL);
  start(runtime, source, &s, &task);
  lur_task_cancel(task, "before it began");
  lur_task_cancel(task, "twice");
  check(s.done == 0);
  lur_run(runtime);
  check(s.done == 1);
  check(s.status == LUR_CANCELED);
  check_string(s.report, "before it began");
  check_string(s.printed, "");

  start(runtime, source, &s, &task);
  lur_interrupt(runtime);
  lur_run(runtime);
  check(s.done == 2);
  check(s.status == LUR_CANCELED);
  lur_close(runtime, NULL, NULL);
}

static void test_interrupt_from_a_thread(void)
{
  seen s;
  pthread_t thread;
  lur_runtime *runtime = open_runtime(&s, NULL);
  start(runtime,
        "local task = require 'lurcher.task'\n"
        "task.defer(function() task.sleep(0.001) print('cleaned up') end)\n"
        "for i = 1, 1000 do task.spawn(task.sleep, 60) end\n",
        &s, NULL);
  pthread_create(&thread, NULL, interrupt_soon, runtime);
  lur_run(runtime);
  pthread_join(thread, NULL);
  check(s.status == LUR_CANCELED);
  check_string(s.printed, "cleaned up\n");
  lur_close(runtime, NULL, NULL);
}

static void test_close(void)
{
  seen s;
  lur_runtime *runtime = open_runtime(&s, NULL);
  lur_close(runtime, on_closed, &s); /* nothing ever ran */
  check(s.closed == 1);

  runtime = open_runtime(&s, NULL); /* a script that was not run yet */
  start(runtime, "require('lurcher.task').sleep(60)", &s, NULL);
  lur_close(runtime, on_closed, &s);
  check(s.done == 1);
  check(s.status == LUR_CANCELED);
  check(s.closed == 1);

  runtime = open_runtime(&s, NULL); /* from the callback */
  s.runtime = runtime;
  start(runtime,
        "local native = package.loaded['lurcher.native.task'] native.daemon(native.park) native.yield()", &s,
        NULL);
  check(lur_run(runtime) == LUR_OK);
  check(s.done == 1);
  check(s.status == LUR_OK);
  check(s.closed == 1);
}

/* ---- the host's loop ---- */

static void on_tick(uv_timer_t *timer) { ++*(int *)timer->data; }

static void test_host_loop(void)
{
  seen first, second;
  uv_loop_t loop;
  uv_timer_t timer;
  int ticks = 0;
  uv_loop_init(&loop);
  uv_timer_init(&loop, &timer);
  timer.data = &ticks;
  uv_timer_start(&timer, on_tick, 1, 1);
  uv_unref((uv_handle_t *)&timer);

  lur_runtime *a = open_runtime(&first, &loop), *b = open_runtime(&second, &loop);
  check(lur_run(a) == LUR_INVALID);
  check(strstr(lur_error(a), "host") != NULL);
  start(a, "for i = 1, 5 do require('lurcher.task').sleep(0.002) end print('a')", &first, NULL);
  start(b, "for i = 1, 5 do require('lurcher.task').sleep(0.002) end print('b')", &second, NULL);
  uv_run(&loop, UV_RUN_DEFAULT); /* ends: an idle runtime does not keep the loop alive */
  check(first.done == 1 && first.status == LUR_OK);
  check(second.done == 1 && second.status == LUR_OK);
  check(ticks > 0);

  start(a,
        "local task = require 'lurcher.task' task.defer(function() task.sleep(0.001) print('late') end) "
        "task.sleep(60)",
        &first, NULL);
  uv_run(&loop, UV_RUN_NOWAIT);
  lur_close(a, on_closed, &first);
  check(first.closed == 0);
  lur_close(b, on_closed, &second);
  uv_close((uv_handle_t *)&timer, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(first.done == 2);
  check(first.status == LUR_CANCELED);
  check_string(first.printed, "a\nlate\n");
  check(first.closed == 1 && second.closed == 1);
  check(uv_loop_close(&loop) == 0);
}

/* ---- one runtime per thread ---- */

static void *run_in_thread(void *ud)
{
  seen *s = ud;
  lur_runtime *runtime = NULL;
  lur_options options;
  lur_options_init(&options);
  options.ud = s;
  options.print = on_print;
  if (lur_open(&runtime, &options) != LUR_OK) return NULL;
  start(runtime,
        "local task = require 'lurcher.task'\n"
        "local sum = 0\n"
        "task.map({ 1, 2, 3, 4 }, function(n) for i = 1, 500 do task.yield() sum = sum + n end end)\n"
        "print(sum)",
        s, NULL);
  lur_run(runtime);
  lur_close(runtime, on_closed, s);
  return NULL;
}

static void test_threads(void)
{
  enum { THREADS = 4 };
  static seen results[THREADS];
  pthread_t threads[THREADS];
  memset(results, 0, sizeof results);
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run_in_thread, &results[i]);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < THREADS; i++) {
    check(results[i].status == LUR_OK);
    check(results[i].closed == 1);
    check_string(results[i].printed, "5000\n");
  }
}

int main(void)
{
  test_outcomes();
  test_deadlock();
  test_errors_of_calls();
  test_wrong_arguments();
  test_bytecode();
  test_forced_cleanup();
  test_arguments();
  test_cancel();
  test_interrupt_from_a_thread();
  test_close();
  test_host_loop();
  test_threads();
  return unit_end();
}
