/* What a host pays: its functions, called by a script, and a runtime for each job: host URL CALLS
 *
 * Prints JSON lines: microseconds a call (function_us, pending_us, thread_us: completed by another thread, 64
 * in flight), and a runtime that is opened, runs a script, and is closed (open_us, open_kib), and the same
 * with one request (request_us, request_kib), and with one that has options (options_us, options_kib); a
 * request over a connection that is there, without and with lur_options.permit (plain_us, permit_us). The
 * KiB are what malloc has given out when the script ends; the microseconds are the least of all times that it
 * was done. */
#include <lurcher.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPENED = 200, PAIRS = 15, REQUESTS = 1000 };

/* ---- what is given out ---- */

/* Counted here: what mallinfo tells has what malloc keeps for its next calls, too. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t members, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

#define EVERYONES __attribute__((visibility("default"))) /* the library's, too */

static _Atomic size_t given_out;

static void *note(void *block)
{
  if (block) given_out += malloc_usable_size(block);
  return block;
}

EVERYONES void *malloc(size_t size) { return note(__libc_malloc(size)); }
EVERYONES void *calloc(size_t members, size_t size) { return note(__libc_calloc(members, size)); }

EVERYONES void *realloc(void *block, size_t size)
{
  size_t before = block ? malloc_usable_size(block) : 0;
  void *moved = __libc_realloc(block, size);
  if (moved || size == 0) given_out -= before;
  return note(moved);
}

EVERYONES void free(void *block)
{
  if (block) given_out -= malloc_usable_size(block);
  __libc_free(block);
}

/* Of the processor: so it counts no waits for the server. */
static double now_us(void)
{
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  fwrite(text, 1, length, stdout);
}

static void on_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  (void)task;
  *(size_t *)ud = given_out;
  if (status == LUR_OK) return;
  fprintf(stderr, "%s\n", report);
  exit(EXIT_FAILURE);
}

/* ---- functions ---- */

static void add(lur_call *call, void *ud)
{
  (void)ud;
  lur_return_number(call, lur_arg_number(call, 1) + lur_arg_number(call, 2));
}

static void pend(lur_call *call, void *ud)
{
  (void)ud;
  lur_pend(call, NULL, NULL, NULL);
  lur_return_number(call, lur_arg_number(call, 1));
  lur_complete(call);
}

/* As many as can be out at once. */
enum { MAX_OUT = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static lur_call *calls[MAX_OUT];
static size_t sent, taken;
static int stop;

static void hand_over(lur_call *call, void *ud)
{
  (void)ud;
  lur_pend(call, NULL, NULL, NULL);
  pthread_mutex_lock(&lock);
  calls[sent++ % MAX_OUT] = call;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

static lur_call *take(void)
{
  pthread_mutex_lock(&lock);
  while (sent == taken && !stop) pthread_cond_wait(&changed, &lock);
  lur_call *call = sent == taken ? NULL : calls[taken++ % MAX_OUT];
  pthread_mutex_unlock(&lock);
  return call;
}

static void *work(void *ud)
{
  (void)ud;
  for (lur_call *call; (call = take());) {
    lur_return_number(call, 1);
    lur_complete(call);
  }
  return NULL;
}

static void end_thread(pthread_t thread)
{
  pthread_mutex_lock(&lock);
  stop = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
}

static const char functions[] =
    "local host, task, count = require 'host', require 'lurcher.task', tonumber((...))\n"
    "local function lap(name, calls, call)\n"
    "  for _ = 1, calls / 10 do call() end\n"
    "  task.yield()\n"
    "  local start = task.now()\n"
    "  for _ = 1, calls do call() end\n"
    "  task.yield()\n"
    "  print(('{\"%s\":%.3f}'):format(name, (task.now() - start) / calls * 1e6))\n"
    "end\n"
    "lap('function_us', 10 * count, function() return host.add(1, 2) end)\n"
    "lap('pending_us', count, function() return host.pend(1) end)\n"
    "local start, group = task.now(), {}\n"
    "for i = 1, 64 do\n"
    "  group[i] = task.spawn(function() for _ = 1, count / 64 do host.hand_over() end end)\n"
    "end\n"
    "for i = 1, 64 do group[i]:join() end\n"
    "print(('{\"thread_us\":%.3f}'):format((task.now() - start) / count * 1e6))\n";

/* ---- runtimes ---- */

static int (*permit)(const lur_access *access, void *ud);

static int allow(const lur_access *access, void *ud)
{
  (void)ud;
  return access->port != 0;
}

/* Opens, runs and closes one; what was in use at the script's end. */
static size_t run(const char *source, const char *argument, int has_functions)
{
  lur_options options;
  lur_runtime *runtime;
  size_t at_end = 0;
  lur_options_init(&options);
  options.print = on_print;
  options.permit = permit;
  if (lur_open(&runtime, &options) != LUR_OK) exit(EXIT_FAILURE);
  if (has_functions) {
    lur_register(runtime, "add", add, NULL);
    lur_register(runtime, "pend", pend, NULL);
    lur_register(runtime, "hand_over", hand_over, NULL);
  }
  lur_start(runtime, "@host.lua", source, strlen(source), 1, &argument, on_done, &at_end, NULL);
  lur_run(runtime);
  lur_close(runtime, NULL, NULL);
  return at_end;
}

static void measure_opening(const char *name, const char *source, const char *argument)
{
  size_t used = 0;
  double least = 1e9;
  for (int i = 0; i < OPENED; i++) {
    size_t before = given_out;
    double start = now_us();
    used = run(source, argument, 0) - before;
    double took = now_us() - start;
    if (took < least) least = took;
  }
  printf("{\"%s_us\":%.1f,\"%s_kib\":%.0f}\n", name, least, name, (double)used / 1024);
}

/* In turns, for both to have the same from the machine. */
static void measure_asking(const char *url)
{
  static const char source[] = "local get, url = require('lurcher.http').get, ...\n"
                               "for _ = 1, 1000 do assert(get(url)) end";
  double least[2] = {1e9, 1e9};
  for (int i = 0; i < 2 * PAIRS; i++) {
    permit = i % 2 ? allow : NULL;
    double start = now_us();
    run(source, url, 0);
    double took = (now_us() - start) / REQUESTS;
    if (took < least[i % 2]) least[i % 2] = took;
  }
  permit = NULL;
  printf("{\"plain_us\":%.2f,\"permit_us\":%.2f}\n", least[0], least[1]);
}

int main(int argc, char **argv)
{
  pthread_t thread;
  if (argc != 3 || pthread_create(&thread, NULL, work, NULL) != 0) return EXIT_FAILURE;
  run(functions, argv[2], 1);
  end_thread(thread);
  measure_opening("open", "", argv[1]);
  measure_opening("request", "assert(require('lurcher.http').get((...)))", argv[1]);
  measure_opening(
      "options",
      "assert(require('lurcher.http').client { timeout = 5 }:get((...), { headers = { A = 'b' } }))",
      argv[1]);
  measure_asking(argv[1]);
  return EXIT_SUCCESS;
}
