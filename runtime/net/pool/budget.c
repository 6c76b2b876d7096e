#include "net/pool/network.h"
#include "net/pool/pool.h"

#include <stddef.h>

static network *network_of(budget *b) { return (network *)((char *)b - offsetof(network, budget)); }

static void enforce(deferred *d)
{
  budget *b = (budget *)((char *)d - offsetof(budget, enforce));
  for (pool *p = network_of(b)->pools; p; p = p->next) {
    pool_refuse_waiting(p, b->refusing == REFUSES_ALL);
    if (b->ends_running) pool_refuse_running(p);
  }
}

void budget_init(budget *b)
{
  *b = (budget){.max_requests = UINT64_MAX, .max_bytes = UINT64_MAX, .enforce.run = enforce};
}

void budget_deinit(budget *b) { loop_undefer(network_of(b)->loop, &b->enforce); }

static void refuse(budget *b, refusing what)
{
  if (b->refusing < what) b->refusing = what;
  loop_defer(network_of(b)->loop, &b->enforce);
}

void budget_refuse(budget *b, const error *reason)
{
  b->reason = *reason;
  b->draining = false;
  refuse(b, REFUSES_ALL);
}

void budget_drain(budget *b)
{
  if (b->refusing == REFUSES_NONE) {
    error_set(&b->reason, ERROR_canceled, NULL,
              "no more requests are started, as the program is about to end");
    b->draining = true;
  }
  refuse(b, REFUSES_ALL);
}

void budget_refused(budget *b)
{
  if (b->draining || b->refused++ || !b->on_refusal) return;
  b->on_refusal(b->user);
  if (!network_of(b)->running) b->on_idle(b->user);
}

void budget_requeued(budget *b)
{
  if (b->refusing == REFUSES_ALL) loop_defer(network_of(b)->loop, &b->enforce);
}

void budget_requests_spent(budget *b)
{
  if (b->refusing != REFUSES_NONE) return;
  error_set(&b->reason, ERROR_limit, NULL, "the run's budget of %llu request%s is used up",
            (unsigned long long)b->max_requests, b->max_requests == 1 ? "" : "s");
  b->reason.limit = (double)b->max_requests;
  refuse(b, REFUSES_NEW);
}

bool budget_bytes_spent(budget *b)
{
  bool over = b->bytes > b->max_bytes;
  if (b->ends_running || (b->refusing != REFUSES_NONE && !over)) return !over;
  error_set(&b->reason, ERROR_limit, NULL, "the run's budget of %llu bytes is used up",
            (unsigned long long)b->max_bytes);
  b->reason.limit = (double)b->max_bytes;
  b->reason.observed = (double)b->bytes;
  b->draining = false;
  b->ends_running = over;
  refuse(b, over ? REFUSES_ALL : REFUSES_NEW);
  return !over;
}
