#include "net/transfer/transfer_limits.h"

#include "net/transfer/transfer_body.h"
#include "net/transfer/transfer_nudge.h"
#include "net/transfer/transfer_proxy.h"

#include <sys/resource.h>

typedef struct {
  uint64_t due, limit;
  const char *phase, *doing;
} time_limit;

static void consider(time_limit *first, uint64_t from, uint64_t limit, const char *phase, const char *doing)
{
  if (limit && from + limit < first->due) *first = (time_limit){from + limit, limit, phase, doing};
}

/* The limit that is reached first as things are now. */
static time_limit next_limit(const transfer *t)
{
  const transfer_options *p = t->options;
  time_limit first = {.due = UINT64_MAX};
  if (t->request.deadline && t->request.deadline < first.due)
    first = (time_limit){t->request.deadline, p->total, "total", "for the whole request to"};
  if (t->admission.state == ADMISSION_WAITING) {
    consider(&first, t->times.queued, p->queue, "queue", "in the queue for");
    if (t->exchange.starved_at)
      consider(&first, t->exchange.starved_at, p->connect, "connect", "while connecting to");
    return first;
  }
  if (t->admission.state == ADMISSION_ENDED) return first; /* the body is still decoded */
  if (t->exchange.discard_until && t->exchange.discard_until < first.due)
    first = (time_limit){.due = t->exchange.discard_until};
  if (transfer_nudge_is_due(t)) consider(&first, transfer_nudge_since(t), NUDGE_AFTER, "nudge", NULL);
  if (t->exchange.prepares) return first;
  if (t->exchange.connection == CONNECTION_NONE)
    consider(&first, t->times.dispatched, p->connect, "connect", "while connecting to");
  else if (t->exchange.upload_waits)
    return first; /* what is to be sent is not there yet */
  else if (!transfer_request_is_sent(&t->request))
    consider(&first, t->exchange.active_at, p->write, "write", "while sending to");
  else if (t->exchange.flow != FLOW_PAUSED)
    consider(&first, t->exchange.active_at, p->read, "read", "while waiting for data from");
  return first;
}

static void on_clock(timer *clock);

void transfer_limits_watch(transfer *t)
{
  time_limit limit = next_limit(t);
  if (limit.due != UINT64_MAX && !clock_start(t->time, &t->exchange.clock, limit.due, on_clock))
    transfer_fail_memory(t);
}

void transfer_limits_changed(transfer *t)
{
  uint64_t due = next_limit(t).due;
  if (due < UINT64_MAX && (!timer_active(&t->exchange.clock) || due < t->exchange.clock.due))
    clock_start(t->time, &t->exchange.clock, due, on_clock); /* no memory: the old one stays */
}

/* Waiting for a file descriptor counts as connecting. */
static void fail_starved(transfer *t, const time_limit *limit)
{
  struct rlimit files = {0};
  error *e = transfer_failure(t);
  getrlimit(RLIMIT_NOFILE, &files);
  error_set(e, ERROR_connect, "connect",
            "no file descriptor was left for a request to %s (limit: %llu open files, ulimit -n; waited for "
            "timeout.%s = %g s)",
            pool_origin_name(&t->admission), (unsigned long long)files.rlim_cur, limit->phase,
            (double)limit->limit / NANOSECONDS);
  e->limit = (double)files.rlim_cur;
  e->retry_safe = true;
  network *n = t->pool->network;
  transfer_stop(t);
  network_descriptor_freed(n); /* those behind it have waited, too: each finds out for itself */
}

/* While others run, their ends give descriptors back: the wait has an end, and begins anew. */
static bool waits_for_others(transfer *t)
{
  if (!t->exchange.starved_at || !t->pool->network->running) return false;
  t->exchange.starved_at = clock_now(t->time);
  return next_limit(t).due > clock_now(t->time);
}

/* Activity only notes its time; the clock finds out here how much is left. */
static void on_clock(timer *clock)
{
  transfer *t = container_of(clock, transfer, exchange.clock);
  time_limit limit = next_limit(t);
  bool is_starved = t->admission.state == ADMISSION_WAITING && t->exchange.starved_at;
  if (limit.due > clock_now(t->time) || (is_starved && waits_for_others(t))) {
    transfer_limits_watch(t);
    return;
  }
  if (is_starved && *limit.phase != 'q') {
    fail_starved(t, &limit);
    return;
  }
  if (t->admission.state == ADMISSION_ENDED && !t->response.undecoded) return; /* its reader has all */
  if (!limit.phase) { /* enough was read of a body that nobody wants */
    t->exchange.given_up = true;
    transfer_stop(t);
    return;
  }
  if (*limit.phase == 'n') {
    transfer_nudge(t);
    transfer_limits_watch(t);
    return;
  }
  error *e = transfer_failure(t);
  double seconds = (double)limit.limit / NANOSECONDS;
  char why[128] = "";
  if (t->admission.state == ADMISSION_WAITING) pool_describe_wait(&t->admission, why, sizeof why);
  error_set(e, ERROR_timeout, limit.phase, "timeout %s %s%s%s (limit: %s = %g s)", limit.doing,
            transfer_peer_name(t), *why ? ", " : "", why, limit.phase, seconds);
  e->limit = seconds;
  e->code = "OPERATION_TIMEDOUT";
  e->retry_safe = t->exchange.connection == CONNECTION_NONE;
  t->job.blames = t->exchange.connection == CONNECTION_NONE;
  if (*limit.phase == 't') transfer_body_give_up(t);
  bool peer_was_asked = !t->exchange.upload_waits; /* else it had nothing to say */
  if (peer_was_asked && t->exchange.connection != CONNECTION_NONE && t->admission.state == ADMISSION_RUNNING)
    pool_leave_silent(&t->admission, t->exchange.local_port, clock_now(t->time) - t->exchange.active_at);
  transfer_stop(t);
}
