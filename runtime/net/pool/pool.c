#include "net/pool/pool.h"

#include "net/pool/origin.h"
#include "net/transfer/transfer.h"

#include <stdio.h>
#include <stdlib.h>

/* How long the first request to an unknown origin may keep the others waiting. */
static const uint64_t PROBE_GRACE = 250 * MILLISECOND;

bool pool_route_is_known(const route *r) { return r->known; }
bool pool_route_is_http2(const route *r) { return r->http2; }

/* ---- slots ---- */

static void count_in(pool *p, transfer *t)
{
  t->origin->in_flight++;
  t->origin->unread += !t->unread;
  t->unread = true;
  t->route->in_flight++;
  t->route->shard_load[t->shard]++;
  p->in_flight++;
  p->started++;
  p->network->running++;
  budget_start(&p->network->budget, &t->granted);
  t->next = p->running;
  if (t->next) t->next->previous = t;
  p->running = t;
}

static void count_out(pool *p, transfer *t)
{
  route *r = t->route;
  network *n = p->network;
  t->origin->in_flight--;
  r->in_flight--;
  if (--r->shard_load[t->shard], t->shard < r->first_free) r->first_free = t->shard;
  p->in_flight--;
  if (n->running-- == n->max_running) network_descriptor_freed(n);
  if (!n->running && n->budget.refused && n->budget.on_idle) n->budget.on_idle(n->budget.user);
  *(t->previous ? &t->previous->next : &p->running) = t->next;
  if (t->next) t->next->previous = t->previous;
  t->next = t->previous = NULL;
}

/* ---- admission ---- */

static void on_grace_over(timer *t)
{
  route *r = (route *)((char *)t - offsetof(route, grace));
  r->known = true;
  origin_offer(r->origin);
  pool_admit(r->origin->pool);
}

/* How long its rate has kept a transfer waiting: what the gate was closed for since it came. */
static uint64_t rate_wait(const transfer *t) { return gate_closed_time(&t->origin->gate) - t->closed_before; }

static transfer *take_first(origin *o)
{
  transfer *t = queue_take(&o->queue);
  o->pool->waiting--;
  t->times.rate += rate_wait(t);
  if (!o->queue.count) gate_rest(&o->gate);
  return t;
}

static void start_first(origin *o)
{
  pool *p = o->pool;
  transfer *t = take_first(o);
  route *r = t->route;
  t->engine = lane_choose(r, &t->shard);
  if (!t->engine) {
    o->transfers--;
    t->origin = NULL; /* it holds nothing */
    transfer_fail_memory(t);
    return;
  }
  count_in(p, t);
  if (!r->known && r->in_flight == 1)
    clock_start(p->time, &r->grace, clock_now(p->time) + PROBE_GRACE, on_grace_over);
  transfer_run(t, r->shares ? r->lane->share : NULL);
}

void pool_admit(pool *p)
{
  if (p->admitting) return; /* a transfer that failed at its start: the loop below goes on */
  p->admitting = true;
  origin *o;
  while ((o = p->turn_first) && p->in_flight < p->limits.inflight && network_has_room(p->network)) {
    origin_leave_turn(o);
    if (!origin_may_start(o)) continue;
    start_first(o);
    origin_offer(o);
  }
  p->admitting = false;
}

/* Most origins see one label only. */
static metrics_series *find_series(origin *o, const char *label)
{
  if (!o->series || !metrics_has_label(o->series, label))
    o->series = metrics_find(&o->pool->network->metrics, label, o->key);
  return o->series;
}

bool pool_submit(pool *p, transfer *t)
{
  origin *o = origin_find(p, &t->target);
  t->route = o ? route_find(o, t) : NULL;
  if (!t->route || !queue_add(&o->queue, t)) return false;
  t->origin = o;
  o->transfers++;
  t->arrival = p->limits.limiter ? limiter_arrive(p->limits.limiter) : ++p->arrivals;
  t->closed_before = gate_closed_time(&o->gate);
  transfer_count_in(t, find_series(o, t->label ? t->label : ""));
  p->waiting++;
  origin_offer(o);
  pool_admit(p);
  return true;
}

static void leave_queue(pool *p, transfer *t)
{
  origin *o = t->origin;
  t->times.rate += rate_wait(t);
  queue_remove(&o->queue, t);
  p->waiting--;
  if (!o->queue.count) {
    origin_leave_turn(o);
    gate_rest(&o->gate);
  } else if (!o->in_turn) {
    origin_offer(o); /* another one is first now */
    if (o->in_turn) loop_defer(p->network->loop, &p->network->admit_all);
  }
}

void pool_leave(pool *p, transfer *t)
{
  if (t->state == TRANSFER_WAITING) {
    leave_queue(p, t);
    return;
  }
  origin_learn(t->origin, t);
  count_out(p, t);
  origin_offer(t->origin);
  pool_admit(p);
  pool_trim_later(p);
}

void pool_answer_read(transfer *t)
{
  if (t->unread) t->origin->unread--;
  t->unread = false;
}

void pool_forget(transfer *t)
{
  pool_answer_read(t);
  if (t->origin) t->origin->transfers--;
}

void pool_requeue(pool *p, transfer *t)
{
  origin *o = t->origin;
  count_out(p, t);
  queue_put_back(&o->queue, t);
  p->waiting++;
  budget_requeued(&p->network->budget);
  t->closed_before = gate_closed_time(&o->gate);
  origin_offer(o);
}

/* ---- what is learnt of origins ---- */

void pool_origin_known(pool *p, transfer *t, bool http2)
{
  route *r = t->route;
  r->http2 = http2;
  if (r->known) return;
  r->known = true;
  timer_stop(&r->grace);
  origin_offer(t->origin);
  loop_defer(p->network->loop, &p->network->admit_all); /* libcurl is running */
}

static void fail_like(transfer *waiting, const void *failed)
{
  const transfer *other = failed;
  if (waiting->route == other->route) transfer_fail_like(waiting, other);
}

void pool_origin_unresolved(transfer *t)
{
  if (!t->route->known) queue_each(&t->origin->queue, fail_like, t);
}

gate *pool_gate(pool *p, const url *u)
{
  origin *o = origin_find(p, u);
  return o ? &o->gate : NULL;
}

bool pool_look(pool *p, const url *u, pool_flow *flow)
{
  origin *o = origin_find(p, u);
  if (!o) return false;
  *flow = (pool_flow){.in_flight = o->in_flight,
                      .unread = o->unread,
                      .waiting = o->queue.count,
                      .slots = origin_slots(o),
                      .gate = &o->gate};
  return true;
}

void pool_describe_wait(const transfer *t, char *text, size_t size)
{
  const origin *o = t->origin;
  const pool *p = t->pool;
  gate_describe(&o->gate, text, size);
  if (*text) return;
  if (o->in_flight >= origin_slots(o))
    snprintf(text, size, "whose slots are taken (limits.per_origin = %zu)", origin_slots(o));
  else if (p->in_flight >= p->limits.inflight)
    snprintf(text, size, "as the client's slots are taken (limits.inflight = %zu)", p->limits.inflight);
}

/* ---- ending those that wait ---- */

static void each_waiting(pool *p, void (*fn)(transfer *t, const void *user), const void *user)
{
  for (size_t i = 0; i < p->origin_capacity; i++)
    for (origin *o = p->origins[i]; o; o = o->next_in_bucket) queue_each(&o->queue, fn, user);
}

static void cancel(transfer *t, const void *why) { transfer_cancel(t, why); }

static void fail_with(transfer *t, const void *failure) { transfer_fail_with(t, failure); }

static void refuse(transfer *t, const void *granted_too)
{
  if (granted_too || !t->granted) transfer_refuse(t);
}

void pool_refuse_origin(pool *p, const url *u, const error *failure)
{
  origin *o = origin_find(p, u);
  if (o) queue_each(&o->queue, fail_with, failure);
}

void pool_refuse_waiting(pool *p, bool granted_too) { each_waiting(p, refuse, granted_too ? p : NULL); }

void pool_refuse_running(pool *p)
{
  while (p->running) transfer_refuse(p->running);
}

/* ---- life ---- */

pool *pool_new(network *n, const pool_limits *limits)
{
  pool *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  *p = (pool){.next = n->pools, .references = 1, .network = n, .time = &n->loop->virtual, .limits = *limits};
  if (limits->limiter) limiter_ref(limits->limiter);
  n->pools = p;
  network_ref(n);
  return p;
}

void pool_ref(pool *p) { p->references++; }

void pool_close(pool *p)
{
  static const char why[] = "the client was closed";
  p->closed = true;
  each_waiting(p, cancel, why);
  while (p->running) transfer_cancel(p->running, why);
  pool_close_idle(p);
}

void pool_unref(pool *p)
{
  if (!p || --p->references) return;
  timer_stop(&p->trim);
  for (size_t i = 0; i < p->origin_capacity; i++)
    for (origin *o = p->origins[i], *next; o; o = next) {
      next = o->next_in_bucket;
      origin_free(o);
    }
  free(p->origins);
  for (lane *l = p->lanes, *next; l; l = next) {
    next = l->next;
    lane_free(l);
  }
  network *n = p->network;
  pool **place = &n->pools;
  while (*place != p) place = &(*place)->next;
  *place = p->next;
  limiter_unref(p->limits.limiter);
  free(p);
  network_unref(n);
}
