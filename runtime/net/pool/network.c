#include "net/pool/network.h"

#include "core/container_of.h"
#include "net/pool/pool.h"
#include "net/pool/pool_idle.h"

#include <curl/curl.h>
#include <dirent.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Left free for name lookups, certificate files, and the script's own files. */
enum { RESERVED_DESCRIPTORS = 16, MIN_RUNNING = 4 };

/* What is freed by others than us, nobody tells: looked for at longer and longer intervals. */
static const uint64_t STARVED_RETRY = 50 * MILLISECOND, MAX_STARVED_RETRY = 1000 * MILLISECOND;

/* Once for the process, by the first runtime that needs it. What failed for want of a descriptor is tried
 * again. */
static bool init_curl(void)
{
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static bool is_ready;
  pthread_mutex_lock(&lock);
  is_ready = is_ready || curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK;
  bool result = is_ready;
  pthread_mutex_unlock(&lock);
  return result;
}

const char *network_failure(void) { return curl_easy_strerror(CURLE_FAILED_INIT); }

static size_t open_descriptors(void)
{
  size_t count = 0;
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return 16;
  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

static size_t descriptors_for_transfers(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY) return (size_t)-1;
  size_t taken = open_descriptors() + RESERVED_DESCRIPTORS;
  return limit.rlim_cur > taken + MIN_RUNNING ? limit.rlim_cur - taken : MIN_RUNNING;
}

static void admit_all(deferred *d)
{
  network *n = container_of(d, network, admit_all);
  for (pool *p = n->pools; p; p = p->next) {
    if (n->starved) pool_close_idle(p);
    pool_admit(p);
  }
}

static void retry_starved(timer *t)
{
  network *n = container_of(t, network, retry_starved);
  uint64_t wait = n->starved_wait * 2;
  network_descriptor_freed(n);
  n->starved_wait = wait < MAX_STARVED_RETRY ? wait : MAX_STARVED_RETRY;
}

static void on_no_descriptor(multi_shared *s)
{
  network_out_of_descriptors(container_of(s, network, multis));
}

static void on_descriptor_freed(multi_shared *s)
{
  network *n = container_of(s, network, multis);
  if (n->starved) network_descriptor_freed(n);
}

network *network_new(loop *l)
{
  network *n = init_curl() ? calloc(1, sizeof *n) : NULL;
  if (!n) return NULL;
  n->references = 1;
  n->loop = l;
  n->multis = (multi_shared){
      .loop = l, .on_no_descriptor = on_no_descriptor, .on_descriptor_freed = on_descriptor_freed};
  n->admit_all.run = admit_all;
  n->max_running = descriptors_for_transfers();
  n->max_body = SIZE_MAX;
  run_limits_init(&n->run_limits);
  return n;
}

void network_ref(network *n) { n->references++; }

void network_unref(network *n)
{
  if (--n->references) return;
  timer_stop(&n->retry_starved);
  loop_undefer(n->loop, &n->admit_all);
  run_limits_deinit(&n->run_limits);
  watcher_table_free(&n->multis.watchers);
  metrics_free(&n->metrics);
  free(n);
}

bool network_has_room(const network *n) { return !n->starved && n->running < n->max_running; }

void network_out_of_descriptors(network *n)
{
  if (n->starved) return;
  n->starved = true;
  if (!n->starved_wait) n->starved_wait = STARVED_RETRY;
  clock_start(&n->loop->real, &n->retry_starved, loop_now(n->loop) + n->starved_wait, retry_starved);
  loop_defer(n->loop, &n->admit_all); /* closes idle connections, which libcurl must not do now */
}

void network_descriptor_freed(network *n)
{
  n->starved = false;
  n->starved_wait = 0;
  timer_stop(&n->retry_starved);
  loop_defer(n->loop, &n->admit_all);
}
