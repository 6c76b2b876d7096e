#include "net/pool/pool.h"

#include "net/pool/origin.h"
#include "net/transfer/transfer.h"

#include <stdio.h>
#include <stdlib.h>

/* How long the first request to an unknown origin may keep the others waiting. */
static const uint64_t PROBE_GRACE = 250 * MILLISECOND;

bool origin_group_is_known(const origin_group *g) { return g->known; }
bool origin_group_is_http2(const origin_group *g) { return g->http2; }

/* ---- slots ---- */

static void count_in(pool *p, transfer *t)
{
  t->origin->in_flight++;
  t->origin->unread += !t->unread;
  t->unread = true;
  t->group->in_flight++;
  t->group->shard_load[t->shard]++;
  p->in_flight++;
  p->started++;
  p->network->running++;
  run_limits_start(&p->network->run_limits, &t->granted);
  t->next = p->running;
  if (t->next) t->next->previous = t;
  p->running = t;
}

static void count_out(pool *p, transfer *t)
{
  origin_group *g = t->group;
  network *n = p->network;
  t->origin->in_flight--;
  g->in_flight--;
  if (--g->shard_load[t->shard], t->shard < g->first_free) g->first_free = t->shard;
  p->in_flight--;
  if (n->running-- == n->max_running) network_descriptor_freed(n);
  if (!n->running && n->run_limits.refused && n->run_limits.on_idle)
    n->run_limits.on_idle(n->run_limits.user);
  *(t->previous ? &t->previous->next : &p->running) = t->next;
  if (t->next) t->next->previous = t->previous;
  t->next = t->previous = NULL;
}

/* ---- admission ---- */

static void on_grace_over(timer *t)
{
  origin_group *g = container_of(t, origin_group, grace);
  g->known = true;
  origin_offer(g->origin);
  pool_admit(g->origin->pool);
}

/* How long its rate has kept a transfer waiting: what the throttle was closed for since it came. */
static uint64_t rate_wait(const transfer *t)
{
  return throttle_closed_time(&t->origin->throttle) - t->closed_before;
}

static transfer *take_first(origin *o)
{
  transfer *t = queue_take(&o->queue);
  o->pool->waiting--;
  t->times.rate += rate_wait(t);
  if (!o->queue.count) throttle_rest(&o->throttle);
  return t;
}

static void start_first(origin *o)
{
  pool *p = o->pool;
  transfer *t = take_first(o);
  origin_group *g = t->group;
  t->multi = connection_group_choose(g, &t->shard);
  if (!t->multi) {
    o->transfers--;
    t->origin = NULL; /* it holds nothing */
    transfer_fail_memory(t);
    return;
  }
  count_in(p, t);
  if (!g->known && g->in_flight == 1)
    clock_start(p->time, &g->grace, clock_now(p->time) + PROBE_GRACE, on_grace_over);
  transfer_run(t, g->shares ? g->connections->share : NULL);
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
  t->group = o ? origin_group_find(o, t) : NULL;
  if (!t->group || !queue_add(&o->queue, t)) return false;
  t->origin = o;
  o->transfers++;
  t->arrival = p->limits.limiter ? limiter_arrive(p->limits.limiter) : ++p->arrivals;
  t->closed_before = throttle_closed_time(&o->throttle);
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
    throttle_rest(&o->throttle);
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
  run_limits_requeued(&p->network->run_limits);
  t->closed_before = throttle_closed_time(&o->throttle);
  origin_offer(o);
}

/* ---- what is learnt of origins ---- */

void pool_origin_known(pool *p, transfer *t, bool http2)
{
  origin_group *g = t->group;
  g->http2 = http2;
  if (g->known) return;
  g->known = true;
  timer_stop(&g->grace);
  origin_offer(t->origin);
  loop_defer(p->network->loop, &p->network->admit_all); /* libcurl is running */
}

static void fail_like(transfer *waiting, const void *failed)
{
  const transfer *other = failed;
  if (waiting->group == other->group) transfer_fail_like(waiting, other);
}

void pool_origin_unresolved(transfer *t)
{
  if (!t->group->known) queue_each(&t->origin->queue, fail_like, t);
}

throttle *pool_throttle(pool *p, const url *u)
{
  origin *o = origin_find(p, u);
  return o ? &o->throttle : NULL;
}

bool pool_look(pool *p, const url *u, pool_flow *flow)
{
  origin *o = origin_find(p, u);
  if (!o) return false;
  *flow = (pool_flow){.in_flight = o->in_flight,
                      .unread = o->unread,
                      .waiting = o->queue.count,
                      .slots = origin_slots(o),
                      .throttle = &o->throttle};
  return true;
}

void pool_describe_wait(const transfer *t, char *text, size_t size)
{
  const origin *o = t->origin;
  const pool *p = t->pool;
  throttle_describe(&o->throttle, text, size);
  if (*text) return;
  if (o->in_flight >= origin_slots(o))
    snprintf(text, size, "whose slots are taken (limits.per_origin = %zu)", origin_slots(o));
  else if (p->in_flight >= p->limits.inflight)
    snprintf(text, size, "as the client's slots are taken (limits.inflight = %zu)", p->limits.inflight);
}

/* ---- ending those that wait ---- */

static void each_waiting(pool *p, void (*fn)(transfer *t, const void *user), const void *user)
{
  for (table_entry *e = table_next(&p->origins, NULL); e; e = table_next(&p->origins, e))
    queue_each(&container_of(e, origin, entry)->queue, fn, user);
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
  for (table_entry *e; (e = table_next(&p->origins, NULL));) origin_free(container_of(e, origin, entry));
  table_free(&p->origins);
  for (connection_group *c = p->connection_groups, *next; c; c = next) {
    next = c->next;
    connection_group_free(c);
  }
  network *n = p->network;
  pool **place = &n->pools;
  while (*place != p) place = &(*place)->next;
  *place = p->next;
  limiter_unref(p->limits.limiter);
  free(p);
  network_unref(n);
}
