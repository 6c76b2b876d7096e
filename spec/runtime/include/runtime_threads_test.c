/* Four runtimes in four threads, each with a server and a thousand requests to it; and a thousand runtimes,
 * one after the other in each thread. Nothing is shared between them that a thread could see half done. */
#include "support/host.h"

#include <malloc.h>
#include <pthread.h>

enum { THREADS = 4, OPENED = 50 };

static const char requests[] = "local http, server = require 'lurcher.http', require 'lurcher.server'\n"
                               "local task = require 'lurcher.task'\n"
                               "local s = server.start(function(req) return { body = req.path } end)\n"
                               "local api = http.client { base_url = s.url }\n"
                               "local list = {} for i = 1, 1000 do list[i] = i end\n"
                               "task.map(list, function(i)\n"
                               "  assert(assert(api:get('/' .. i)).body == '/' .. i)\n"
                               "  return true\n"
                               "end, { concurrency = 16 })\n"
                               "s:stop()\n"
                               "print 'fine'\n";

typedef struct {
  pthread_t thread;
  const char *source;
  int runtimes;
  int ended_well;
} worker;

static void note_print(const char *text, size_t length, void *ud)
{
  worker *w = ud;
  w->ended_well += length == 5 && memcmp(text, "fine\n", 5) == 0;
}

static void note_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  (void)task, (void)ud;
  if (status != LUR_OK) fprintf(stderr, "%s: %s\n", lur_status_name(status), report ? report : "");
}

/* `check` counts without a lock, so it is not for threads. */
static void *work(void *ud)
{
  worker *w = ud;
  lur_options options;
  lur_options_init(&options);
  options.ud = w;
  options.print = note_print;
  for (int i = 0; i < w->runtimes; i++) {
    lur_runtime *runtime;
    if (lur_open(&runtime, &options) != LUR_OK) return NULL;
    lur_start(runtime, "@script.lua", w->source, strlen(w->source), 0, NULL, note_done, NULL, NULL);
    lur_run(runtime);
    lur_close(runtime, NULL, NULL);
  }
  return NULL;
}

static void run_in_threads(const char *source, int runtimes)
{
  worker workers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (worker){.source = source, .runtimes = runtimes};
    if (!check(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0)) exit(1);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    check(workers[i].ended_well == runtimes);
  }
}

/* Under sanitizers mallinfo2 counts nothing, but AddressSanitizer's leak check does. Threads keep some blocks
 * in arenas of their own. */
static void test_no_growth(void)
{
  static const char source[] = "require('lurcher.task').spawn(print, 'fine')";
  run_in_threads(source, 10);
  size_t in_use = mallinfo2().uordblks;
  int descriptors = open_descriptors();
  run_in_threads(source, OPENED);
  check(mallinfo2().uordblks < in_use + 65536);
  check(open_descriptors() == descriptors);
}

int main(void)
{
  run_in_threads(requests, 1);
  test_no_growth();
  return unit_end();
}
