/* lur_run_script, lur_set_json and lur_result. */
#include "support/host.h"

#include <math.h>
#include <pthread.h>

static lur_runtime *rt;
static int told;
static lur_result got;
static char json[1024], kind[64], message[512], error_json[512];
static void *got_ud;
static char marker;
static const char *limit = "";

static void copy(char *to, size_t room, const char *from)
{
  snprintf(to, room, "%s", from ? from : "(NULL)");
}

static void on_result(lur_task *task, const lur_result *result, void *ud)
{
  told++;
  got = *result;
  got_ud = ud;
  check(lur_task_ud(task) == ud);
  check(result->size == sizeof *result);
  check(!result->json || result->json[result->json_length] == 0);
  copy(json, sizeof json, result->json);
  copy(kind, sizeof kind, result->kind);
  copy(message, sizeof message, result->message);
  copy(error_json, sizeof error_json, result->error_json);
  check_string(result->limit, limit);
}

static lur_script script_of(const char *source, const char *arguments)
{
  return (lur_script){.size = sizeof(lur_script),
                      .chunkname = "@s.lua",
                      .source = source,
                      .length = strlen(source),
                      .arguments = arguments,
                      .arguments_length = arguments ? strlen(arguments) : 0,
                      .done = on_result,
                      .ud = &marker};
}

static void run(const char *source, const char *arguments)
{
  lur_task *task;
  int before = told;
  lur_script script = script_of(source, arguments);
  if (!check(lur_run_script(rt, &script, &task) == LUR_OK)) fprintf(stderr, "%s\n", lur_error(rt));
  check(task && lur_task_ud(task) == &marker && told == before);
  lur_run(rt);
  check(told == before + 1 && got_ud == &marker);
}

static void test_values(void)
{
  static const struct {
    const char *source, *arguments, *json;
  } cases[] = {
      {"return 1, 'two', true, nil, {3}", NULL, "[1,\"two\",true,null,[3]]"},
      {"", NULL, "[]"},
      {"return nil", NULL, "[null]"},
      {"return ...", "[0.1, 1e300, 9007199254740991, 5e-324, -0.5]",
       "[0.1,1e+300,9007199254740991,5e-324,-0.5]"},
      {"return select('#', ...), ...", "[null,\"a\\u0000b\",null]", "[3,null,\"a\\u0000b\",null]"},
      {"local t = ... return t.x == require('lurcher.json').null", " [{\"x\":null}] ", "[true]"},
      {"return nil, 'no'", NULL, "[null,\"no\"]"},
      {"return 0.1 + 0.2", NULL, "[0.30000000000000004]"},
      {"return print", NULL, "(NULL)"},
      {"return 0 / 0", NULL, "(NULL)"},
      {"return setmetatable({}, { __tojson = function() error 'no' end })", NULL, "(NULL)"},
      {"local t = require('lurcher.task') t.sleep(0) return pcall(error, 'x', 0)", NULL, "[false,\"x\"]"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    run(cases[i].source, cases[i].arguments);
    check(got.status == LUR_OK && !got.report && !*kind && !*message);
    check_string(json, cases[i].json);
  }
}

static void test_errors(void)
{
  run("\nerror 'broken'", NULL);
  check(got.status == LUR_FAILED && !got.json);
  check_string(message, "s.lua:2: broken");
  check_string(kind, "");
  check_string(error_json, "(NULL)");
  run("error { code = 7, text = 'x' }", NULL);
  check(strstr(error_json, "\"code\":7") && strstr(message, "code"));
  run("assert(require('lurcher.http').get('http://127.0.0.1:1/', { retry = false }))", NULL);
  check_string(kind, "connect");
  check(strstr(error_json, "\"kind\":\"connect\"") && *message);
  run("return require('lurcher.http').get('http://127.0.0.1:1/', { retry = false })", NULL);
  check(got.status == LUR_OK && strstr(json, "[null,{") == json && strstr(json, "\"kind\":\"connect\""));
  run("require('lurcher.task').event():wait()", NULL);
  check(got.status == LUR_FAILED && strncmp(message, "deadlock", 8) == 0 && !strchr(message, '\n'));
  run("error('a\\0b', 0)", NULL);
  check_string(message, "a\\x00b");
  run("\n\nreturn error 'last'", NULL);
  check_string(message, "s.lua:3: last");
  run("if ... then return error 'one' end\nreturn error 'two'", NULL);
  check_string(message, "two");
  run("\nreturn unpack({}, 1, 1e6)", NULL);
  check_string(message, "s.lua:2: too many results to unpack");
  run("error(nil)", NULL);
  check(got.status == LUR_FAILED && *message);
  run("local t = {} t.t = t error(t)", NULL);
  check(got.status == LUR_FAILED && *message);
  check_string(error_json, "(NULL)");
}

static void cancel_caller(lur_call *call, void *ud)
{
  (void)ud;
  lur_task_cancel(lur_call_task(call), "by its call");
}

static void test_canceled(void)
{
  lur_task *task;
  lur_script script = script_of("require('lurcher.task').sleep(100)", NULL);
  check(lur_run_script(rt, &script, &task) == LUR_OK);
  lur_run_for(rt, 0);
  lur_task_cancel(task, "enough");
  lur_run(rt);
  check(got.status == LUR_CANCELED && strstr(message, "enough"));
  check_string(kind, "canceled");
  /* one that ends without a wait that would raise, one that has not begun, one of all */
  check(lur_register(rt, "cancel_me", cancel_caller, NULL) == LUR_OK);
  run("require('host').cancel_me()", NULL);
  check(got.status == LUR_CANCELED);
  check_string(kind, "canceled");
  check_string(message, "the task was cancelled: by its call");
  check(lur_run_script(rt, &script, &task) == LUR_OK);
  lur_task_cancel(task, "too early");
  lur_run(rt);
  check(got.status == LUR_CANCELED);
  check_string(message, "the task was cancelled: too early");
  script = script_of("return 1", NULL);
  check(lur_run_script(rt, &script, &task) == LUR_OK);
  lur_interrupt(rt);
  lur_run(rt);
  check(got.status == LUR_CANCELED);
  check_string(message, "the task was cancelled");
}

static void test_time_limit(void)
{
  lur_script script = script_of("require('lurcher.task').sleep(100)", NULL);
  limit = "time";
  script.max_seconds = 0.01;
  check(lur_run_script(rt, &script, NULL) == LUR_OK);
  lur_run(rt);
  check(got.status == LUR_LIMIT && strstr(message, "'time'"));
  script.source = "local task = require('lurcher.task') task.defer(error, 'on the way out') task.sleep(100)";
  script.length = strlen(script.source);
  check(lur_run_script(rt, &script, NULL) == LUR_OK);
  lur_run(rt);
  limit = "";
  check(got.status == LUR_LIMIT && strstr(message, "'time'"));
}

static void test_own_globals(void)
{
  lur_script script =
      script_of("a = 1 _G.b = 2 load('c = 3')() return a, b, shared, print ~= nil, _G.a", NULL);
  script.own_globals = 1;
  run("shared = 5", NULL);
  check(lur_run_script(rt, &script, NULL) == LUR_OK);
  lur_run(rt);
  check_string(json, "[1,2,5,true,1]");
  run("return a, b, shared, c", NULL);
  check_string(json, "[null,null,5,null]");
}

static void test_set_json(void)
{
  static const char text[] = "{\"limit\":0.1,\"name\":\"x\",\"none\":null}";
  check(lur_set_json(rt, "settings", text, sizeof text - 1) == LUR_OK);
  check(lur_set_json(rt, "deep.er", "[1,2]", 5) == LUR_OK);
  run("local h = require 'host' return h.settings.limit, h.settings.name, h.deep.er, h.missing", NULL);
  check_string(json, "[0.1,\"x\",[1,2],null]");
  check(lur_set_json(rt, "settings", "2", 1) == LUR_OK);
  check(lur_set_json(rt, "deep.er", "null", 4) == LUR_OK);
  run("local h = require 'host' return h.settings, h.deep.er", NULL);
  check_string(json, "[2,null]");
  static const char *const wrong[] = {"", ".", "a.", ".a", "a..b", "settings.x", "deep", NULL};
  for (int i = 0; wrong[i]; i++) check(lur_set_json(rt, wrong[i], "1", 1) == LUR_INVALID);
  check(lur_set_json(rt, NULL, "1", 1) == LUR_INVALID);
  check(lur_set_json(rt, "x", NULL, 1) == LUR_INVALID);
  check(lur_set_json(rt, "x", "{", 1) == LUR_INVALID);
  check(*lur_error(rt));
  check(lur_set_json(NULL, "x", "1", 1) == LUR_INVALID);
}

static void test_misuse(void)
{
  lur_task *task;
  lur_script script = script_of("return 1", NULL);
  int before = told;
  check(lur_run_script(NULL, &script, &task) == LUR_INVALID && !task);
  check(lur_run_script(rt, NULL, &task) == LUR_INVALID && !task);
  static const size_t sizes[] = {0, 1, offsetof(lur_script, arguments) - 1};
  for (int i = 0; i < 3; i++) {
    script.size = sizes[i];
    check(lur_run_script(rt, &script, &task) == LUR_INVALID);
  }
  for (script.size = offsetof(lur_script, done) + 1; script.size < offsetof(lur_script, ud); script.size++) {
    check(lur_run_script(rt, &script, &task) == LUR_OK); /* a part of a pointer is none */
    lur_run(rt);
  }
  static const char *const arguments[] = {"", "{}", "1", "[1", "[1,]", "null", "[1] x", NULL};
  for (int i = 0; arguments[i]; i++) {
    script = script_of("return 1", arguments[i]);
    check(lur_run_script(rt, &script, &task) == LUR_INVALID && *lur_error(rt));
  }
  script = script_of("return 1", NULL);
  script.arguments_length = 5;
  check(lur_run_script(rt, &script, &task) == LUR_INVALID);
  script = script_of("return 1", NULL);
  script.chunkname = NULL;
  check(lur_run_script(rt, &script, &task) == LUR_INVALID);
  script = script_of("return = 1", NULL);
  check(lur_run_script(rt, &script, &task) == LUR_SYNTAX);
  script = script_of("\x1bLJ", NULL);
  check(lur_run_script(rt, &script, &task) == LUR_SYNTAX);
  script = script_of("return 1", NULL);
  script.max_seconds = NAN;
  check(lur_run_script(rt, &script, &task) == LUR_INVALID);
  script = script_of("return 1", "[");
  script.size = offsetof(lur_script, arguments); /* an older host's */
  check(lur_run_script(rt, &script, NULL) == LUR_OK);
  lur_run(rt);
  check(told == before);
  script = script_of("return 1", NULL);
  script.size += 64; /* a newer host's */
  check(lur_run_script(rt, &script, NULL) == LUR_OK);
  lur_run(rt);
  check(told == before + 1);
  check(lur_task_ud(NULL) == NULL);
}

static void *use_elsewhere(void *ud)
{
  lur_script script = script_of("return 1", NULL);
  check(lur_run_script(rt, &script, NULL) == LUR_INVALID);
  check(lur_start(rt, "@x", "", 0, 0, NULL, NULL, NULL, NULL) == LUR_INVALID);
  check(lur_set_json(rt, "elsewhere", "1", 1) == LUR_INVALID);
  check(lur_register(rt, "elsewhere", NULL, NULL) == LUR_INVALID);
  check(lur_run(rt) == LUR_INVALID && lur_run_for(rt, 0) == LUR_INVALID);
  lur_task_cancel(ud, "not from here");
  lur_close(rt, NULL, NULL);
  return NULL;
}

static void test_wrong_thread(void)
{
  pthread_t thread;
  lur_task *task;
  lur_script script = script_of("return 'not cancelled'", NULL);
  check(lur_run_script(rt, &script, &task) == LUR_OK);
  pthread_create(&thread, NULL, use_elsewhere, task);
  pthread_join(thread, NULL);
  check(lur_run(rt) == LUR_OK && got.status == LUR_OK);
}

int main(void)
{
  lur_options options;
  lur_options_init(&options);
  check(lur_open(&rt, &options) == LUR_OK);
  test_values();
  test_errors();
  test_canceled();
  test_time_limit();
  test_own_globals();
  test_set_json();
  test_misuse();
  test_wrong_thread();
  lur_close(rt, NULL, NULL);
  return unit_end();
}
