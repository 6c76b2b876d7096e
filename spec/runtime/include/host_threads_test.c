/* Functions of the host that other threads complete at random times, while their tasks run into time-outs and
 * their runtimes are interrupted and closed: each call is released exactly once. */
#include "support/host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { CALLS = 20000, THREADS = 4 };

/* One pended call: released by the runtime, completed by a thread. */
typedef struct job {
  struct job *next;
  lur_call *call;
  double number;
  atomic_int cancels, releases;
} job;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the next four */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static job *first, **last = &first;
static bool stop;

static job *jobs[2 * CALLS]; /* kept to the end, so that a second release is seen and does no harm */
static int job_count;
static atomic_int completed, posts_made, posts_released;

static unsigned next_random(unsigned *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 17;
  return *state ^= *state << 5;
}

/* Up to half a millisecond, mostly much less; nothing depends on it. */
static void dawdle(unsigned *state)
{
  struct timespec time = {.tv_nsec = next_random(state) % 500000};
  if (next_random(state) % 4 == 0) nanosleep(&time, NULL);
}

/* ---- the threads ---- */

static job *next_job(void)
{
  pthread_mutex_lock(&lock);
  while (!first && !stop) pthread_cond_wait(&changed, &lock);
  job *j = first;
  if (j) first = j->next;
  if (!first) last = &first;
  pthread_mutex_unlock(&lock);
  return j;
}

static void finish(job *j, unsigned *random)
{
  if (lur_call_canceled(j->call)) dawdle(random);
  switch (next_random(random) % 4) {
  case 0:
    lur_fail(j->call, "E1", "not today");
    break;
  case 1:
    lur_return_json(j->call, "{\"a\":[1,2,3]}", 13);
    break;
  default:
    lur_return_number(j->call, j->number);
  }
  lur_complete(j->call);
  completed++;
}

static void *work(void *ud)
{
  unsigned random = (unsigned)(uintptr_t)ud;
  for (job *j; (j = next_job());) {
    dawdle(&random);
    finish(j, &random);
  }
  return NULL;
}

/* ---- what scripts call ---- */

static void on_cancel(lur_call *call, void *ud)
{
  job *j = ud;
  if (!lur_call_canceled(call)) j->cancels += 100;
  j->cancels++;
}

static void on_release(void *ud) { ((job *)ud)->releases++; }

static void ask(lur_call *call, void *ud)
{
  (void)ud;
  job *j = calloc(1, sizeof *j);
  if (!j || job_count == 2 * CALLS) abort();
  jobs[job_count++] = j;
  j->call = call;
  j->number = lur_arg_number(call, 1);
  if (lur_pend(call, on_cancel, on_release, j) != LUR_OK) abort();
  pthread_mutex_lock(&lock);
  *last = j;
  last = &j->next;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

/* ---- a runtime ---- */

static const char script[] =
    "local host, task = require 'host', require 'lurcher.task'\n"
    "math.randomseed((...))\n"
    "local list = {} for i = 1, 250 do list[i] = i end\n"
    "local function ask(i)\n"
    "  local got, err = host.ask(i)\n"
    "  assert(got == i or type(got) == 'table' and got.a[3] == 3 or err.code == 'E1')\n"
    "  return got or true\n"
    "end\n"
    "task.map(list, function(i)\n"
    "  local way = math.random(4)\n"
    "  if way == 1 then return ask(i) end\n"
    "  if way == 2 then return task.timeout(math.random() * 0.001, ask, i) or true end\n"
    "  if way == 3 then return task.race { function() return ask(i) end, function() return ask(i) end } end\n"
    "  return coroutine.wrap(function() return ask(i) end)()\n"
    "end, { concurrency = 64 })\n";

static void on_post(lur_runtime *runtime, void *ud)
{
  (void)ud;
  check(lur_loop(runtime) != NULL);
}

static void on_post_released(void *ud)
{
  (void)ud;
  posts_released++;
}

typedef struct {
  lur_runtime *runtime;
  unsigned random;
  bool interrupts;
} meddler;

static void *meddle(void *ud)
{
  meddler *m = ud;
  for (int i = 0; i < 8; i++) {
    dawdle(&m->random);
    if (lur_post(m->runtime, on_post, on_post_released, NULL) == LUR_OK) posts_made++;
  }
  if (m->interrupts) lur_interrupt(m->runtime);
  return NULL;
}

/* A third of the rounds each: to the end, interrupted from another thread, closed on the way. */
static void one_round(unsigned round, unsigned *random)
{
  host h;
  char seed[16];
  pthread_t thread;
  host_open(&h, NULL);
  check(lur_register(h.runtime, "ask", ask, NULL) == LUR_OK);
  snprintf(seed, sizeof seed, "%u", round);
  meddler m = {.runtime = h.runtime, .random = next_random(random), .interrupts = round % 3 == 1};
  if (!check(pthread_create(&thread, NULL, meddle, &m) == 0)) exit(1);
  check(host_start(&h, script, seed) == LUR_OK);
  if (round % 3 == 2)
    for (unsigned turns = next_random(random) % 50; turns > 0; turns--) lur_run_for(h.runtime, 0);
  else
    lur_run(h.runtime);
  pthread_join(thread, NULL);
  host_close(&h);
  check(h.closed == 1 && h.done == 1);
  if (!check(round % 3 == 0 ? h.status == LUR_OK : h.status == LUR_OK || h.status == LUR_CANCELED))
    fprintf(stderr, "round %u: %s %s\n", round, lur_status_name(h.status), h.report);
}

static void end_threads(pthread_t *threads)
{
  pthread_mutex_lock(&lock);
  stop = true;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

int main(void)
{
  pthread_t threads[THREADS];
  unsigned random = 2463534242;
  for (int i = 0; i < THREADS; i++)
    if (!check(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 7)) == 0)) return unit_end();
  for (unsigned round = 0; job_count < CALLS; round++) one_round(round, &random);
  end_threads(threads);
  int wrong = 0;
  for (int i = 0; i < job_count; i++) {
    wrong += jobs[i]->releases != 1 || jobs[i]->cancels > 1;
    free(jobs[i]);
  }
  check(wrong == 0 && completed == job_count && posts_released == posts_made);
  return unit_end();
}
