/* A program with two runtimes in two threads: two Lua heaps, two loops, nothing shared, two cores at work.
 *
 *   threads [script.lua]     runs the script in both; it gets its thread's name as its argument
 *
 * After 5 seconds the main thread interrupts whatever still runs.
 */
#include <lurcher.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORKERS = 2, SECONDS = 5 };

typedef struct {
  const char *name, *source;
  size_t length;
  pthread_t thread;
  lur_runtime *runtime;
  lur_status status;
} worker;

/* How many workers still run. The runtimes are closed only when none does, so that it is always safe for the
 * main thread to interrupt them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int running = WORKERS;

static const char built_in[] = "local name = ...\n"
                               "local task = require 'lurcher.task'\n"
                               "for i = 1, 3 do\n"
                               "  task.sleep(0.02)\n"
                               "  print(name .. ': step ' .. i)\n"
                               "end\n";

/* Called in the worker's thread. stdio has locks of its own. */
static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  fwrite(text, 1, length, stdout);
}

static void on_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  worker *w = ud;
  (void)task;
  w->status = status;
  if (report) fprintf(stderr, "%s: %s\n", w->name, report);
}

/* The thread: everything but lur_interrupt must be called in it. */
static void *work(void *ud)
{
  worker *w = ud;
  const char *const arguments[] = {w->name};
  w->status = lur_start(w->runtime, "@script", w->source, w->length, 1, arguments, on_done, w, NULL);
  if (w->status == LUR_OK)
    lur_run(w->runtime);
  else
    fprintf(stderr, "%s: %s\n", w->name, lur_error(w->runtime));
  pthread_mutex_lock(&lock);
  running--;
  pthread_cond_broadcast(&changed);
  while (running > 0) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  lur_close(w->runtime, NULL, NULL);
  return NULL;
}

static void interrupt_if_late(worker *workers)
{
  struct timespec deadline;
  int late = 0;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += SECONDS;
  pthread_mutex_lock(&lock);
  while (running > 0 && !late) late = pthread_cond_timedwait(&changed, &lock, &deadline) != 0;
  for (int i = 0; i < WORKERS && late && running > 0; i++) lur_interrupt(workers[i].runtime);
  pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
  static char text[1 << 20];
  static worker workers[WORKERS] = {{.name = "left"}, {.name = "right"}};
  const char *source = built_in;
  size_t length = sizeof built_in - 1;
  if (argc > 1) {
    FILE *file = fopen(argv[1], "rb");
    if (!file) {
      perror(argv[1]);
      return EXIT_FAILURE;
    }
    length = fread(text, 1, sizeof text, file);
    source = text;
    fclose(file);
  }

  lur_options options;
  lur_options_init(&options);
  options.print = on_print;
  for (int i = 0; i < WORKERS; i++) {
    workers[i].source = source;
    workers[i].length = length;
    if (lur_open(&workers[i].runtime, &options) != LUR_OK) return EXIT_FAILURE;
  }
  for (int i = 0; i < WORKERS; i++)
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) return EXIT_FAILURE;
  interrupt_if_late(workers);

  int failed = 0;
  for (int i = 0; i < WORKERS; i++) {
    pthread_join(workers[i].thread, NULL);
    printf("%s: %s\n", workers[i].name, lur_status_name(workers[i].status));
    if (workers[i].status != LUR_OK) failed = 1;
  }
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
