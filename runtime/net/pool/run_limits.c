#include "core/container_of.h"
#include "net/pool/network.h"
#include "net/pool/pool.h"

#include <stddef.h>

static network *network_of(run_limits *l) { return container_of(l, network, run_limits); }

static void enforce(deferred *d)
{
  run_limits *l = container_of(d, run_limits, enforce);
  for (pool *p = network_of(l)->pools; p; p = p->next) {
    pool_end_waiting(p, l->refusing == REFUSES_ALL, &l->reason);
    if (l->ends_running) pool_end_running(p, &l->reason);
  }
}

void run_limits_init(run_limits *l)
{
  *l = (run_limits){.max_requests = UINT64_MAX, .max_bytes = UINT64_MAX, .enforce.run = enforce};
}

void run_limits_deinit(run_limits *l) { loop_undefer(network_of(l)->loop, &l->enforce); }

static void refuse(run_limits *l, refusing what)
{
  if (l->refusing < what) l->refusing = what;
  loop_defer(network_of(l)->loop, &l->enforce);
}

void run_limits_refuse(run_limits *l, const error *reason)
{
  l->reason = *reason;
  l->draining = false;
  refuse(l, REFUSES_ALL);
}

void run_limits_drain(run_limits *l)
{
  if (l->refusing == REFUSES_NONE) {
    error_set(&l->reason, ERROR_canceled, NULL,
              "no more requests are started, as the program is about to end");
    l->draining = true;
  }
  refuse(l, REFUSES_ALL);
}

void run_limits_refused(run_limits *l)
{
  if (l->draining || l->refused++ || !l->on_refusal) return;
  l->on_refusal(l->user);
  if (!network_of(l)->running) l->on_idle(l->user);
}

void run_limits_requeued(run_limits *l)
{
  if (l->refusing == REFUSES_ALL) loop_defer(network_of(l)->loop, &l->enforce);
}

void run_limits_requests_spent(run_limits *l)
{
  if (l->refusing != REFUSES_NONE) return;
  error_set(&l->reason, ERROR_limit, NULL, "the run's budget of %llu request%s is used up",
            (unsigned long long)l->max_requests, l->max_requests == 1 ? "" : "s");
  l->reason.limit = (double)l->max_requests;
  refuse(l, REFUSES_NEW);
}

bool run_limits_bytes_spent(run_limits *l)
{
  bool over = l->bytes > l->max_bytes;
  if (l->ends_running || (l->refusing != REFUSES_NONE && !over)) return !over;
  error_set(&l->reason, ERROR_limit, NULL, "the run's budget of %llu bytes is used up",
            (unsigned long long)l->max_bytes);
  l->reason.limit = (double)l->max_bytes;
  l->reason.observed = (double)l->bytes;
  l->draining = false;
  l->ends_running = over;
  refuse(l, over ? REFUSES_ALL : REFUSES_NEW);
  return !over;
}
