/* Memory runs out at each allocation in turn, for once or for good: a script that died of it ends as
 * LUR_NO_MEMORY, one that did not ends well, and opening and closing come to an end. */
#include "support/host.h"

#include <stdint.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
/* The sanitizer's allocator cannot be replaced: only Lua's blocks are refused. */
#include "lurcher_lua.h"
enum { REPLACES_MALLOC = 0 };
#else
enum { REPLACES_MALLOC = 1 };
#endif

static long count, fail_at; /* 0: nothing is refused */
static bool for_good;

static bool refuses(void)
{
  if (fail_at == 0) return false;
  count++;
  return for_good ? count >= fail_at : count == fail_at;
}

#if defined(__SANITIZE_ADDRESS__)
static lua_Alloc usual;

static void *allocate(void *ud, void *block, size_t old_size, size_t size)
{
  return size && refuses() ? NULL : usual(ud, block, old_size, size);
}

static void refuse_lua(lur_runtime *runtime)
{
  void *ud;
  usual = lua_getallocf(lur_lua(runtime), &ud);
  lua_setallocf(lur_lua(runtime), allocate, ud);
}
#else
void *__libc_malloc(size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_calloc(size_t members, size_t size);

void *malloc(size_t size) { return refuses() ? NULL : __libc_malloc(size); }
void *realloc(void *block, size_t size) { return size && refuses() ? NULL : __libc_realloc(block, size); }
void *calloc(size_t members, size_t size) { return refuses() ? NULL : __libc_calloc(members, size); }

static void refuse_lua(lur_runtime *runtime) { (void)runtime; }
#endif

static const char source[] = "jit.off()\n"
                             "local task, json = require 'lurcher.task', require 'lurcher.json'\n"
                             "task.defer(function() task.sleep(0) print 'cleaned up' end)\n"
                             "local texts = task.map({ 1, 2, 3 }, function(i)\n"
                             "  task.sleep(0)\n"
                             "  return json.encode { number = i }\n"
                             "end)\n"
                             "local found, err = require('lurcher.fs').read('/nowhere')\n"
                             "if err.code == 'ENOMEM' then error(err) end\n"
                             "print(table.concat(texts, ' '), found, err.code)\n";

static const char expected[] = "{\"number\":1} {\"number\":2} {\"number\":3}\tnil\tENOENT\ncleaned up\n";

/* What it came to: of opening, of starting, or of the script. */
static lur_status run(bool from_open, char *output, char *report)
{
  host h = {.status = LUR_INVALID};
  lur_options options;
  lur_options_init(&options);
  options.ud = &h;
  options.print = host_print;
  *output = *report = 0;
  alarm(60); /* it waits for ever: the signal ends the test */
  long wanted = fail_at;
  if (!from_open) fail_at = 0;
  count = 0;
  lur_status status = lur_open(&h.runtime, &options);
  if (status != LUR_OK) return status;
  fail_at = wanted;
  refuse_lua(h.runtime);
  status = host_start(&h, source, NULL);
  if (status == LUR_OK) {
    check(lur_run(h.runtime) == LUR_OK);
    check(h.done == 1);
    status = h.status;
  } else {
    check(*lur_error(h.runtime));
  }
  strcpy(output, h.output);
  strcpy(report, h.report);
  host_close(&h);
  check(h.closed == 1);
  return status;
}

/* Until nothing is refused any more. How many runs there were. */
static int run_all(bool from_open, bool sticky)
{
  static char output[8192], report[2048];
  int runs = 0;
  for (long at = 1;; at++, runs++) {
    fail_at = at;
    for_good = sticky;
    lur_status status = run(from_open, output, report);
    fail_at = 0;
    if (count < at) break;
    bool well = status == LUR_NO_MEMORY || (status == LUR_OK && strcmp(output, expected) == 0);
    if (!check(well))
      fprintf(stderr, "  allocation %ld%s: %s, printed \"%s\": %s\n", at, sticky ? " and all after it" : "",
              lur_status_name(status), output, report);
  }
  check_string(output, expected);
  return runs;
}

int main(void)
{
  int runs = run_all(false, false) + run_all(false, true);
  if (REPLACES_MALLOC) runs += run_all(true, true);
  check(runs > 1000);
  printf("%d runs\n", runs);
  return unit_end();
}
