/* lur_count: the figures of a runtime. */
#include "net/pool/pool_idle.h"
#include "script/http/http_network.h"
#include "script/task/task_owner.h"

#include <string.h>
#include <time.h>

static double thread_seconds(void)
{
  struct timespec t;
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) return 0;
  return (double)t.tv_sec + (double)t.tv_nsec / (double)NANOSECONDS;
}

static void count_requests(const network *n, lur_counts *c)
{
  c->requests = n->run_limits.requests;
  c->bytes = n->run_limits.bytes;
  for (const pool *p = n->pools; p; p = p->next) {
    c->in_flight += (unsigned)p->in_flight;
    c->waiting += (unsigned)p->waiting;
    c->connections += (unsigned)pool_connections(p);
  }
}

void lur_count(const lur_runtime *rt, lur_counts *counts)
{
  if (!counts || counts->size < sizeof counts->size) return;
  lur_counts c = {.size = counts->size};
  if (rt && runtime_is_here((lur_runtime *)rt)) {
    c.tasks = rt->tasks;
    c.memory = rt->loop.memory.used;
    c.peak = rt->loop.memory.peak;
    c.cpu = rt->limits.cpu ? (double)rt->limits.cpu_used / (double)NANOSECONDS : thread_seconds();
    const network *n = rt->L ? http_network(rt->L) : NULL;
    if (n) count_requests(n, &c);
  }
  memcpy(counts, &c, counts->size < sizeof c ? counts->size : sizeof c);
}
