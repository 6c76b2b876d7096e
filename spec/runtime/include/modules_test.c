/* Modules that the host has (lur_preload, load_module, module_path), lur_count, slices and versions. */
#include "support/host.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char json[2048], message[1024], asked[1024];
static lur_status ended;
static lur_runtime *rt;

static void on_result(lur_task *task, const lur_result *result, void *ud)
{
  (void)task;
  (void)ud;
  ended = result->status;
  snprintf(json, sizeof json, "%s", result->json ? result->json : "(NULL)");
  snprintf(message, sizeof message, "%s", result->message);
}

static const char *chunkname = "@s.lua";

static void run(const char *source)
{
  lur_script script = {.size = sizeof script,
                       .chunkname = chunkname,
                       .source = source,
                       .length = strlen(source),
                       .done = on_result};
  ended = LUR_INVALID;
  check(lur_run_script(rt, &script, NULL) == LUR_OK);
  lur_run(rt);
}

static void check_result(const char *source, const char *wanted)
{
  run(source);
  if (!check(ended == LUR_OK)) fprintf(stderr, "  %s\n", message);
  check_string(json, wanted);
}

static void check_fails(const char *source, const char *part)
{
  run(source);
  check(ended == LUR_FAILED);
  if (!check(strstr(message, part))) fprintf(stderr, "  wanted %s\n  got    %s\n", part, message);
}

static const char *load(const char *module, size_t *length, const char **name, void *ud)
{
  static const char orders[] = "local n = 0 return { next = function() n = n + 1 return n end, name = ... }";
  static const char broken[] = "return {\n";
  static const char looped[] = "while true do end";
  strncat(asked, module, sizeof asked - strlen(asked) - 2);
  strcat(asked, " ");
  check(lur_preload(rt, "x", "", 0) == LUR_INVALID && lur_run(rt) == LUR_INVALID);
  check(!ud || ud == &rt);
  const char *source = strcmp(module, "orders") == 0   ? orders
                       : strcmp(module, "broken") == 0 ? broken
                       : strcmp(module, "looped") == 0 ? looped
                                                       : NULL;
  if (source) *length = strlen(source);
  if (source == broken) *name = "@store/broken.lua";
  if (source == looped) *name = "@lurcher/looped.lua";
  return source;
}

static void open_with(const lur_options *options)
{
  *asked = 0;
  check(lur_open(&rt, options) == LUR_OK);
}

static lur_status preload(const char *name, const char *source)
{
  return lur_preload(rt, name, source, strlen(source));
}

static void test_preload(void)
{
  open_with(NULL);
  check(preload("shapes.square",
                "local name = ... return { area = function(a) return a * a end, name = name }") == LUR_OK);
  check_result("local s = require 'shapes.square' return s.area(3), s.name, s == require 'shapes.square'",
               "[9,\"shapes.square\",true]");
  check(preload("waits", "require('lurcher.task').sleep(0) return 7") == LUR_OK);
  check_result("return require 'waits'", "[7]");
  check(preload("again", "return 1") == LUR_OK && preload("again", "return 2") == LUR_OK);
  check_result("return require 'again'", "[2]");
  check(preload("wrong", "return +") == LUR_SYNTAX);
  check(strstr(lur_error(rt), "wrong:1:"));
  check(preload("raises", "\nerror 'at load'") == LUR_OK);
  check_fails("require 'raises'", "raises:2: at load");
  check(preload("late", "return {}") == LUR_OK);
  static const char *const refused[] = {"", "host", "lurcher", "lurcher.http", "lurcher.x.y"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    check(preload(refused[i], "return 1") == LUR_INVALID);
    check(*lur_error(rt));
  }
  check(lur_preload(rt, NULL, "", 0) == LUR_INVALID && lur_preload(rt, "a", NULL, 1) == LUR_INVALID);
  check(lur_preload(NULL, "a", "", 0) == LUR_INVALID && lur_preload(rt, "empty", NULL, 0) == LUR_OK);
  check_result("return require 'empty'", "[true]");
  lur_close(rt, NULL, NULL);
}

static void test_load_module(void)
{
  lur_options o;
  lur_options_init(&o);
  o.load_module = load;
  o.ud = &rt;
  o.module_path = "";
  open_with(&o);
  check(preload("first", "return 'preloaded'") == LUR_OK);
  check_result("local o = require 'orders' o.next() return o.next(), o.name, require 'first'",
               "[2,\"orders\",\"preloaded\"]");
  check_string(asked, "orders ");
  check_fails("require 'missing'", "module 'missing' not found");
  check_fails("require 'broken'", "store/broken.lua:");
  check_result("return (pcall(require, 'lurcher.nothing')), type(require 'lurcher.json')",
               "[false,\"table\"]");
  check_result("return package.path, package.cpath", "[\"\",\"\"]");
  lur_close(rt, NULL, NULL);

  o.burst_seconds = 0.05;
  open_with(&o);
  run("require 'looped'");
  check(ended == LUR_LIMIT);
  chunkname = "@lurcher/mine.lua"; /* the hook spares what is the runtime's own, told by such names */
  run("while true do end");
  check(ended == LUR_LIMIT);
  chunkname = "@s.lua";
  lur_close(rt, NULL, NULL);
}

/* A confined script has modules of its own, with its own globals. */
static void test_confined(void)
{
  lur_options o;
  lur_options_init(&o);
  o.load_module = load;
  o.libraries = LUR_SANDBOX;
  open_with(&o);
  check_result("local o = require 'orders' o.next() return o.next(), o == require 'orders'", "[2,true]");
  check_result("return require('orders').next()", "[1]");
  check(preload("globals",
                "mine = 1 return { io = io and true or false, open = load('return io')() == nil }") ==
        LUR_OK);
  check_result("local g = require 'globals' return g.io, g.open, mine", "[false,true,1]");
  check_result("return mine", "[null]");
  check(preload("self", "return require 'self'") == LUR_OK);
  check_fails("require 'self'", "loop or previous error");
  check_fails("require 'missing'", "module 'missing' not found");
  check_fails("require 'broken'", "store/broken.lua:");
  lur_close(rt, NULL, NULL);
}

static int refuse_orders(const lur_access *access, void *ud)
{
  (void)ud;
  return access->kind != LUR_MODULE || strcmp(access->name, "orders") != 0;
}

static void test_permit(void)
{
  lur_options o;
  lur_options_init(&o);
  o.load_module = load;
  o.permit = refuse_orders;
  for (int i = 0; i < 2; i++) {
    o.libraries = i == 0 ? o.libraries : LUR_SANDBOX;
    open_with(&o);
    check(preload("fine", "return 3") == LUR_OK);
    check_fails("require 'orders'", "orders");
    check_string(asked, "");
    check_result("return require 'fine'", "[3]");
    lur_close(rt, NULL, NULL);
  }
}

static void test_module_path(void)
{
  char folder[] = "/tmp/lurcher_unit_XXXXXX", path[128], file[128];
  if (!check(mkdtemp(folder))) return;
  snprintf(path, sizeof path, "%s/?.lua", folder);
  snprintf(file, sizeof file, "%s/found.lua", folder);
  FILE *f = fopen(file, "w");
  fputs("return { io = type(io), where = debug and debug.getinfo(1, 'S').short_src }", f);
  fclose(f);
  lur_options o;
  lur_options_init(&o);
  o.module_path = path;
  open_with(&o);
  check_result("return require('found').io", "[\"table\"]");
  lur_close(rt, NULL, NULL);
  o.libraries = LUR_SANDBOX;
  open_with(&o);
  check_fails("require 'found'", "not found"); /* nobody lets it read */
  lur_close(rt, NULL, NULL);
  o.permit = refuse_orders;
  open_with(&o);
  check_result("return require('found').io", "[\"nil\"]");
  lur_close(rt, NULL, NULL);
  unlink(file);
  rmdir(folder);
}

static void *count_elsewhere(void *ud)
{
  lur_counts *c = ud;
  lur_count(rt, c);
  check(preload("x", "") == LUR_INVALID);
  return NULL;
}

static void test_count(void)
{
  lur_counts c = {.size = sizeof c};
  open_with(NULL);
  lur_count(rt, &c);
  check(c.tasks == 0 && c.requests == 0 && c.memory > 0 && c.peak >= c.memory && c.size == sizeof c);
  const char *source = "local t = require 'lurcher.task' t.spawn(function() t.sleep(60) end) t.sleep(60)";
  lur_task *task;
  check(lur_start(rt, "@s", source, strlen(source), 0, NULL, NULL, NULL, &task) == LUR_OK);
  check(lur_run_for(rt, 0.01) == LUR_OK);
  lur_count(rt, &c);
  check(c.tasks == 2);
  lur_task_cancel(task, NULL);
  lur_run(rt);
  run("local http = require 'lurcher.http' "
      "local s = require('lurcher.server').start(function() return 'hello' end) "
      "local c = http.client() for _ = 1, 3 do assert(c:get(s.url)) end s:stop()");
  if (!check(ended == LUR_OK)) fprintf(stderr, "%s\n", message);
  lur_count(rt, &c);
  check(c.tasks == 0 && c.requests == 3 && c.bytes > 3 * 5 && c.in_flight == 0 && c.waiting == 0 &&
        c.cpu > 0);

  lur_counts other = {.size = sizeof other, .tasks = 9};
  pthread_t thread;
  pthread_create(&thread, NULL, count_elsewhere, &other);
  pthread_join(thread, NULL);
  check(other.tasks == 0 && other.memory == 0);

  struct {
    lur_counts c;
    unsigned char behind;
  } small = {.c = {.size = offsetof(lur_counts, waiting), .waiting = 77}, .behind = 5};
  lur_count(rt, &small.c);
  check(small.c.waiting == 77 && small.c.size == offsetof(lur_counts, waiting));
  lur_count(rt, NULL);
  small.c.size = 0;
  lur_count(rt, &small.c);
  lur_count(NULL, &c);
  check(c.requests == 0 && c.size == sizeof c);
  lur_close(rt, NULL, NULL);
}

static void test_slices(void)
{
  static const double wrong[] = {-1, NAN, -0.001};
  lur_options o;
  lur_options_init(&o);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    o.slice_seconds = wrong[i];
    check(lur_open(&rt, &o) == LUR_INVALID && !rt);
  }
  /* The slice, not the tasks, says when lur_run_for looks at its time. */
  o.slice_seconds = 0.001;
  open_with(&o);
  const char *source = "local t = require 'lurcher.task' while true do t.yield() end";
  lur_task *task;
  check(lur_start(rt, "@s", source, strlen(source), 0, NULL, NULL, NULL, &task) == LUR_OK);
  for (int i = 0; i < 20; i++) check(lur_run_for(rt, 0.001) == LUR_OK);
  lur_task_cancel(task, NULL);
  lur_run(rt);
  lur_close(rt, NULL, NULL);
}

static void test_version(void)
{
  unsigned v = lur_version_number();
  char text[32];
  snprintf(text, sizeof text, "%u.%u.%u", v >> 16, v >> 8 & 255, v & 255);
  check_string(lur_version(), text);
  check(v == LUR_VERSION);
}

int main(void)
{
  test_preload();
  test_load_module();
  test_confined();
  test_permit();
  test_module_path();
  test_count();
  test_slices();
  test_version();
  return unit_end();
}
