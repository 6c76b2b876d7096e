/* lur_register, calls of the host's functions, and lur_post. */
#include "support/host.h"

#include <pthread.h>
#include <stdatomic.h>

static host h;
static atomic_int canceled, released, pended;
static lur_call *held; /* by "hold" */
static bool completed; /* by complete_held */

static void on_cancel(lur_call *call, void *ud)
{
  (void)ud;
  check(lur_call_canceled(call));
  canceled++;
}

static void on_release(void *ud)
{
  (void)ud;
  released++;
}

static void run(const char *source)
{
  h.output_length = 0;
  *h.output = 0;
  check(host_start(&h, source, NULL) == LUR_OK);
  check(lur_run(h.runtime) == LUR_OK);
}

static void echo(lur_call *call, void *ud)
{
  (void)ud;
  for (int i = 1; i <= lur_arg_count(call); i++) {
    size_t length;
    const char *text;
    switch (lur_arg_type(call, i)) {
    case LUR_TYPE_NIL:
      lur_return_nil(call);
      break;
    case LUR_TYPE_BOOLEAN:
      lur_return_boolean(call, lur_arg_boolean(call, i));
      break;
    case LUR_TYPE_NUMBER:
      lur_return_number(call, lur_arg_number(call, i));
      break;
    case LUR_TYPE_STRING:
      text = lur_arg_string(call, i, &length);
      lur_return_string(call, text, length);
      break;
    default:
      text = lur_arg_json(call, i, &length);
      if (text)
        check(lur_return_json(call, text, length) == LUR_OK);
      else
        lur_return_nil(call);
    }
  }
}

static void test_values(void)
{
  check(lur_register(h.runtime, "echo", echo, NULL) == LUR_OK);
  run("local echo, json = require('host').echo, require('lurcher.json')\n"
      "local function same(...) assert(select('#', echo(...)) == select('#', ...)) return echo(...) end\n"
      "assert(same(0.1 + 0.2) == 0.1 + 0.2) assert(same('a\\0b') == 'a\\0b') assert(same(2^53 + 2) == 2^53 + "
      "2)\n"
      "assert(same(true) == true) assert(same(nil) == nil) assert(same(1, nil, 'x', nil) == 1) same()\n"
      "assert(same({ 1, { a = 'b' } })[2].a == 'b') assert(same(print) == nil) assert(same(json.null) == "
      "json.null)\n"
      "local many = {} for i = 1, 200 do many[i] = i end assert(select('#', echo(unpack(many))) == 200)\n"
      "assert(echo(('x'):rep(1e6)) == ('x'):rep(1e6)) print 'fine'");
  check_string(h.output, "fine\n");
}

static void look(lur_call *call, void *ud)
{
  size_t length = 7;
  check(ud == &h);
  check(lur_call_task(call) == h.task && lur_task_ud(h.task) == &h);
  check(lur_arg_count(call) == 2);
  for (int i = -1; i < 5; i += 4) {
    check(lur_arg_type(call, i) == LUR_TYPE_NIL && lur_arg_number(call, i) == 0);
    check(!lur_arg_boolean(call, i) && !lur_arg_string(call, i, &length) && length == 0);
    check(!lur_arg_json(call, i, &length));
  }
  check(!lur_arg_string(call, 1, NULL) && lur_arg_number(call, 2) == 0 && lur_arg_boolean(call, 2));
  check_string(lur_arg_json(call, 1, NULL), "0.1");
  check(lur_return_string(call, NULL, 3) == LUR_INVALID);
  static const char *const wrong[] = {"", "{", "nul", "[1,]", "'x'", NULL};
  for (int i = 0; wrong[i]; i++) check(lur_return_json(call, wrong[i], strlen(wrong[i])) == LUR_INVALID);
  check(lur_return_json(call, NULL, 1) == LUR_INVALID);
  for (int i = 0; i < 300; i++) check(lur_return_number(call, i) == (i < 200 ? LUR_OK : LUR_INVALID));
  lur_complete(call); /* not pended: nothing */
  check(lur_run(h.runtime) == LUR_INVALID && lur_run_for(h.runtime, 0) == LUR_INVALID);
}

static void test_looks(void)
{
  check(lur_register(h.runtime, "deep.look", look, &h) == LUR_OK);
  run("print(select('#', require('host').deep.look(0.1, 'text')))");
  check_string(h.output, "200\n");
}

static void fails(lur_call *call, void *ud)
{
  (void)ud;
  lur_return_number(call, 1);
  check(lur_fail(call, lur_arg_string(call, 1, NULL), lur_arg_string(call, 2, NULL)) == LUR_OK);
  check(lur_return_number(call, 1) == LUR_INVALID);
}

static void raises(lur_call *call, void *ud)
{
  (void)ud;
  check(lur_raise(call, "wants a number") == LUR_OK);
}

/* Wherever it is called from: also where LuaJIT keeps no frame of who called. */
static void test_raised_lines(void)
{
  static const struct {
    const char *source, *line;
  } cases[] = {
      {"local host = require 'host'\n\nlocal x = host.raises()", "script.lua:3: "},
      {"local host = require 'host'\n\nreturn host.raises()", "script.lua:3: "},
      {"local host = require 'host'\nif true then\n  return host.raises(...)\nend\nprint(1)",
       "script.lua:3: "},
      {"local host = require 'host'\nlocal function f() return host.raises() end\nlocal x = f()",
       "script.lua:3: "},
      {"local host = require 'host'\nlocal function f() return host.raises() end\nreturn f()",
       "script.lua:3: "},
      {"local host = require 'host'\n\nassert(pcall(host.raises))", "script.lua:3: "},
      {"local host = require 'host'\n\nlocal x = coroutine.wrap(host.raises)()", "script.lua:3: "},
      {"local host, task = require 'host', require 'lurcher.task'\n\ntask.all { host.raises }",
       "script.lua:3: "},
      {"local host = require 'host'\nif host.no then return host.raises() end\nreturn host.raises()",
       "wants a number"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    run(cases[i].source);
    check(h.status == LUR_FAILED && strstr(h.report, "wants a number"));
    if (!check(strncmp(h.report, cases[i].line, strlen(cases[i].line)) == 0))
      fprintf(stderr, "%s:\n%s\n", cases[i].source, h.report);
  }
}

static void test_failures(void)
{
  lur_register(h.runtime, "fails", fails, NULL);
  lur_register(h.runtime, "raises", raises, NULL);
  run("local host = require 'host' local ok, err = host.fails('E42', 'no such row')\n"
      "print(ok, err.kind, err.code, err.message) print(select(2, host.fails()).kind)\n"
      "print(pcall(function()\n host.raises() end))");
  check_string(h.output, "nil\thost\tE42\tno such row\nhost\nfalse\tscript.lua:4: wants a number\n");
}

static void within(lur_call *call, void *ud)
{
  pended++;
  check(lur_pend(call, on_cancel, on_release, ud) == LUR_OK);
  check(lur_pend(call, on_cancel, on_release, ud) == LUR_INVALID);
  lur_return_string(call, "now", 3);
  lur_complete(call);
  check(lur_return_nil(call) == LUR_INVALID);
  lur_complete(call);
}

static void hold(lur_call *call, void *ud)
{
  pended++;
  check(lur_pend(call, on_cancel, on_release, ud) == LUR_OK);
  held = call;
}

static void complete_held(lur_runtime *runtime, void *ud)
{
  (void)runtime, (void)ud;
  lur_return_number(held, 42);
  lur_complete(held);
  lur_complete(held);
  completed = true;
}

/* Not before the call is out: the script may take long to come to it. */
static void *complete_later(void *ud)
{
  while (!pended) usleep(1000);
  if (lur_post(ud, complete_held, on_release, NULL) != LUR_OK) abort(); /* `check` is for one thread */
  return NULL;
}

static void test_pending(void)
{
  pthread_t thread;
  lur_register(h.runtime, "within", within, NULL);
  lur_register(h.runtime, "hold", hold, NULL);
  released = canceled = 0;
  run("local host = require 'host' for i = 1, 1000 do assert(host.within() == 'now') end print 'fine'");
  check_string(h.output, "fine\n");
  check(released == 1000 && canceled == 0);
  released = pended = 0;
  pthread_create(&thread, NULL, complete_later, h.runtime);
  run("print(require('host').hold())");
  pthread_join(thread, NULL);
  check_string(h.output, "42\n");
  check(released == 2 && canceled == 0);
}

static void test_cancellation(void)
{
  released = canceled = 0;
  run("local host, task = require 'host', require 'lurcher.task'\n"
      "print(task.timeout(0.001, host.hold))");
  check(strstr(h.output, "nil\ttimeout: ") == h.output);
  check(canceled == 1 && released == 0 && lur_call_canceled(held));
  lur_complete(held);
  lur_run_for(h.runtime, 0);
  check(canceled == 1 && released == 1);
  lur_complete(held); /* a mistake, but no harm */
  run("print(pcall(table.sort, { 2, 1 }, function() return require('host').hold() end))");
  check(strstr(h.output, "cannot wait for a function of the host here"));
  check(canceled == 2 && released == 1);
  lur_complete(held);
  lur_run_for(h.runtime, 0);
  check(released == 2);
}

static void test_names(void)
{
  static const char *const wrong[] = {"", ".", "a.", ".a", "a..b", "echo.x", "deep", NULL};
  for (int i = 0; wrong[i]; i++) check(lur_register(h.runtime, wrong[i], echo, NULL) == LUR_INVALID);
  check(lur_register(h.runtime, NULL, echo, NULL) == LUR_INVALID);
  check(lur_register(h.runtime, "x", NULL, NULL) == LUR_INVALID);
  check(lur_register(NULL, "x", echo, NULL) == LUR_INVALID);
  check(lur_register(h.runtime, "fails", echo, NULL) == LUR_OK);
  run("print(require('host').fails(7))");
  check_string(h.output, "7\n");
}

static void test_nulls(void)
{
  check(lur_arg_count(NULL) == 0 && lur_arg_type(NULL, 1) == LUR_TYPE_NIL && !lur_arg_string(NULL, 1, NULL));
  check(lur_return_nil(NULL) == LUR_INVALID && lur_fail(NULL, "a", "b") == LUR_INVALID);
  check(lur_raise(NULL, "x") == LUR_INVALID && lur_pend(NULL, NULL, NULL, NULL) == LUR_INVALID);
  check(!lur_call_canceled(NULL) && !lur_call_task(NULL));
  check(lur_post(NULL, complete_held, NULL, NULL) == LUR_INVALID);
  check(lur_post(h.runtime, NULL, NULL, NULL) == LUR_INVALID);
  lur_complete(NULL);
}

/* Calls that are out when the runtime is closed are completed after it. */
static void test_close(void)
{
  released = canceled = 0;
  completed = false;
  host_start(&h, "require('host').hold()", NULL);
  lur_run_for(h.runtime, 0);
  check(lur_post(h.runtime, complete_held, on_release, NULL) ==
        LUR_OK); /* arrives while it closes, or never */
  lur_call *out = held;
  host_close(&h);
  check(h.closed == 1 && canceled <= 1 && released >= 1);
  if (!completed) lur_complete(out);
  check(released == 2);
}

int main(void)
{
  host_open(&h, NULL);
  test_values();
  test_looks();
  test_failures();
  test_raised_lines();
  test_pending();
  test_cancellation();
  test_names();
  test_nulls();
  test_close();
  return unit_end();
}
