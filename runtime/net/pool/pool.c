#include "net/pool/pool.h"
#include "net/curl/multi_idle.h"

#include "core/container_of.h"
#include "net/pool/connection_group.h"
#include "net/pool/origin.h"
#include "net/pool/origin_group.h"
#include "net/pool/pool_idle.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- slots ---- */

static admission *admission_of(queue_item *item) { return container_of(item, admission, item); }

static void count_in(pool *p, admission *a)
{
  a->origin->in_flight++;
  a->unread = true;
  a->round = a->origin->throttle.round;
  a->passed_at = throttle_time(&a->origin->throttle);
  a->group->in_flight++;
  stream_gate_enter(&a->group->streams, &a->ticket);
  a->group->shard_load[a->shard]++;
  p->in_flight++;
  p->started++;
  p->network->running++;
  run_limits_start(&p->network->run_limits, &a->granted);
  list_prepend(&p->running, &a->item.link);
}

static void count_out(pool *p, admission *a)
{
  origin_group *g = a->group;
  network *n = p->network;
  a->origin->in_flight--;
  g->in_flight--;
  stream_gate_leave(&g->streams, &a->ticket);
  if (!g->in_flight) g->streams.refusals = 0; /* who comes later finds out anew */
  if (--g->shard_load[a->shard], a->shard < g->first_free) g->first_free = a->shard;
  p->in_flight--;
  n->running--;
  if (!n->running && n->run_limits.refused && n->run_limits.on_idle)
    n->run_limits.on_idle(n->run_limits.user);
  list_remove(&a->item.link);
}

/* ---- admission ---- */

/* How long its rate has kept a request waiting: what the throttle was closed for since it came. */
static uint64_t rate_wait(const admission *a)
{
  return throttle_closed_time(&a->origin->throttle) - a->closed_before;
}

static admission *take_first(origin *o)
{
  admission *a = admission_of(queue_take(&o->queue));
  o->pool->waiting--;
  a->rate_wait += rate_wait(a);
  if (!o->queue.count) throttle_rest(&o->throttle);
  return a;
}

static void start_first(origin *o)
{
  static const error out_of_memory = {.kind = ERROR_limit, .message = "out of memory"};
  pool *p = o->pool;
  admission *a = take_first(o);
  origin_group *g = a->group;
  a->multi = origin_group_choose(g, &a->shard);
  if (!a->multi) {
    throttle_answered(&o->throttle, o->throttle.round, 0, false);
    o->admissions--;
    a->origin = NULL; /* it holds nothing */
    a->class->end(a, &out_of_memory);
    return;
  }
  count_in(p, a);
  admission_set_state(a, ADMISSION_RUNNING);
  a->class->start(a, g->shares ? g->connections->share : NULL);
}

void pool_admit(pool *p)
{
  if (p->admitting) return; /* one that failed at its start: the loop below goes on */
  p->admitting = true;
  origin *o;
  while ((o = list_first_of(&p->turns, origin, turn)) && p->in_flight < p->limits.inflight &&
         network_has_room(p->network)) {
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

/* ---- holds ---- */

/* A server's hold would use up all of its time. */
static bool outlasts(const admission *a)
{
  if (a->origin->throttle.guessed) return false;
  double held = throttle_held(&a->origin->throttle);
  if (held <= 0) return false;
  uint64_t now = clock_now(a->origin->pool->time), until = now + loop_nanoseconds(held);
  return a->deadline ? until >= a->deadline : a->total && until - now >= a->total;
}

static void end_outlasted(queue_item *item, const void *user)
{
  admission *a = admission_of(item);
  char reason[120];
  error why;
  (void)user;
  if (!outlasts(a)) return;
  throttle_describe_hold(&a->origin->throttle, reason, sizeof reason);
  error_set(&why, ERROR_timeout, "queue",
            "%s is %s, longer than the request may take (timeout.total = %.3g s)", a->origin->name, reason,
            (double)a->total / NANOSECONDS);
  why.limit = (double)a->total / NANOSECONDS;
  a->class->end(a, &why);
}

bool pool_hold(pool *p, const url *u, double seconds, const char *why, uint64_t age, bool *news)
{
  origin *o = origin_find(p, u);
  if (!o) return false;
  *news = throttle_hold(&o->throttle, seconds, why, age);
  queue_each(&o->queue, end_outlasted, NULL);
  return true;
}

/* ---- coming and going ---- */

bool pool_submit(pool *p, admission *a, const pool_target *to)
{
  origin *o = origin_find(p, to->url);
  a->group = o ? origin_group_find(o, to) : NULL;
  if (!a->group || !queue_add(&o->queue, &a->item)) return false;
  a->origin = o;
  o->admissions++;
  a->item.arrival = p->limits.limiter ? limiter_arrive(p->limits.limiter) : ++p->arrivals;
  a->closed_before = throttle_closed_time(&o->throttle);
  admission_count_in(a, find_series(o, to->label ? to->label : ""));
  p->waiting++;
  if (outlasts(a)) {
    end_outlasted(&a->item, NULL);
    return true;
  }
  origin_offer(o);
  pool_admit(p);
  return true;
}

static void leave_queue(admission *a)
{
  origin *o = a->origin;
  pool *p = o->pool;
  a->rate_wait += rate_wait(a);
  queue_remove(&o->queue, &a->item);
  p->waiting--;
  if (!o->queue.count) {
    origin_leave_turn(o);
    throttle_rest(&o->throttle);
  } else if (!list_has(&o->turn)) {
    origin_offer(o); /* another one is first now */
    if (list_has(&o->turn)) loop_defer(p->network->loop, &p->network->admit_all);
  }
}

static void leave_slot(admission *a, const origin_sample *sample)
{
  origin *o = a->origin;
  if (sample) origin_learn(o, sample);
  network *n = o->pool->network;
  bool was_full = n->running == n->max_running;
  count_out(o->pool, a);
  origin_offer(o);
  if (was_full || n->starved) network_descriptor_freed(n); /* its own, or that of its idle connection */
  if (sample && sample->overloaded)
    loop_defer(n->loop, &n->admit_all); /* the script reads the refusal first: perhaps nobody is to come */
  else
    pool_admit(o->pool);
  pool_trim_later(o->pool);
}

void pool_leave(admission *a, const origin_sample *sample)
{
  admission_state state = a->state;
  admission_set_state(a, ADMISSION_ENDED);
  if (!a->origin || state == ADMISSION_ENDED) return;
  if (state == ADMISSION_WAITING)
    leave_queue(a);
  else
    leave_slot(a, sample);
}

void pool_answer_read(admission *a, bool accepted)
{
  if (!a->unread) return;
  a->unread = false;
  if (!throttle_answered(&a->origin->throttle, a->round, a->passed_at, accepted)) return;
  network *n = a->origin->pool->network;
  origin_offer(a->origin);
  loop_defer(n->loop, &n->admit_all); /* later: the refusal that was just read may hold all of them first */
}

void pool_forget(admission *a)
{
  pool_answer_read(a, false);
  if (a->origin) a->origin->admissions--;
}

void pool_requeue(admission *a)
{
  origin *o = a->origin;
  pool *p = o->pool;
  count_out(p, a);
  pool_answer_read(a, false); /* it asks the throttle once more */
  queue_put_back(&o->queue, &a->item);
  admission_set_state(a, ADMISSION_WAITING);
  p->waiting++;
  run_limits_requeued(&p->network->run_limits);
  a->closed_before = throttle_closed_time(&o->throttle);
  origin_offer(o);
  loop_defer(p->network->loop, &p->network->admit_all); /* nobody else may end and let it start */
}

/* ---- what is learnt of origins ---- */

void pool_distrust_name(admission *a) { a->group->distrusted = true; }

bool pool_looks_up(admission *a)
{
  bool distrusted = a->group->distrusted;
  a->group->distrusted = false;
  return distrusted;
}

unsigned pool_answers(const admission *a) { return a->group->answered; }

void pool_leave_silent(admission *a, int local_port, uint64_t waited)
{
  enum { MAX_SHARDS = 8 };
  origin_group *g = a->group;
  if (!g->http2 || a->shard != g->http2_shard || !multi_is_silent(a->multi, local_port, waited / 2)) return;
  g->http2_shard = (g->http2_shard + 1) % MAX_SHARDS;
}

/* Afterwards: libcurl is running. */
static void let_others_start(admission *a)
{
  network *n = a->origin->pool->network;
  timer_stop(&a->group->grace);
  origin_offer(a->origin);
  loop_defer(n->loop, &n->admit_all);
}

void pool_count_answer(admission *a)
{
  bool was_settling = a->group->streams.settling;
  a->group->answered++;
  stream_gate_answered(&a->group->streams, &a->ticket);
  if (was_settling && !a->group->streams.settling) let_others_start(a);
}

void pool_origin_known(admission *a, bool http2)
{
  origin_group *g = a->group;
  if (g->known && g->http2 == http2) return;
  g->http2 = http2;
  g->known = true;
  g->gated = http2;
  let_others_start(a);
}

void pool_origin_failed(admission *a)
{
  origin_group *g = a->group;
  if (g->gated)
    stream_gate_widen(&g->streams);
  else
    pool_origin_known(a, g->http2);
}

bool pool_is_turned_away(const admission *a) { return stream_gate_has_enough(&a->group->streams); }
void pool_forgive(admission *a) { a->group->streams.refusals = 0; }

bool pool_may_connect(admission *a, bool may)
{
  return a->group->gated ? stream_gate_may_connect(&a->group->streams, &a->ticket, may) : may;
}

void pool_connected(admission *a, int local_port)
{
  if (!a->group->gated) return;
  stream_gate_attach(&a->group->streams, &a->ticket, (uint16_t)local_port);
  if (a->origin->queue.count) let_others_start(a);
}

bool pool_origin_is_known(const admission *a) { return a->group->known; }
bool pool_origin_is_http2(const admission *a) { return a->group->http2; }
const char *pool_origin_name(const admission *a) { return a->origin->name; }

typedef struct {
  const origin_group *group;
  const error *why;
} group_failure;

static void end_in_group(queue_item *item, const void *user)
{
  admission *a = admission_of(item);
  const group_failure *failure = user;
  if (a->group == failure->group) a->class->end(a, failure->why);
}

void pool_end_group(admission *a, const error *why)
{
  group_failure failure = {a->group, why};
  queue_each(&a->origin->queue, end_in_group, &failure);
}

void pool_origin_unresolved(admission *a, const error *why)
{
  if (!a->group->known) pool_end_group(a, why);
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
                      .waiting = o->queue.count,
                      .slots = origin_slots(o),
                      .throttle = &o->throttle};
  return true;
}

void pool_describe_wait(const admission *a, char *text, size_t size)
{
  const origin *o = a->origin;
  const pool *p = o->pool;
  throttle_describe(&o->throttle, text, size);
  if (*text) return;
  if (o->in_flight >= origin_slots(o))
    snprintf(text, size, "whose slots are taken (limits.per_origin = %zu)", origin_slots(o));
  else if (p->in_flight >= p->limits.inflight)
    snprintf(text, size, "as the client's slots are taken (limits.inflight = %zu)", p->limits.inflight);
}

/* ---- ending those that wait ---- */

static void each_waiting(pool *p, void (*fn)(queue_item *item, const void *user), const void *user)
{
  for (table_entry *e = table_next(&p->origins, NULL); e; e = table_next(&p->origins, e))
    queue_each(&container_of(e, origin, entry)->queue, fn, user);
}

static void end(queue_item *item, const void *why)
{
  admission_of(item)->class->end(admission_of(item), why);
}

static void end_unless_granted(queue_item *item, const void *why)
{
  if (!admission_of(item)->granted) end(item, why);
}

void pool_end_waiting_at(pool *p, const url *u, const error *why)
{
  origin *o = origin_find(p, u);
  if (o) queue_each(&o->queue, end, why);
}

void pool_end_waiting(pool *p, bool granted_too, const error *why)
{
  each_waiting(p, granted_too ? end : end_unless_granted, why);
}

void pool_end_running(pool *p, const error *why)
{
  queue_item *item;
  while ((item = list_first_of(&p->running, queue_item, link))) end(item, why);
}

/* ---- life ---- */

pool *pool_new(network *n, const pool_limits *limits)
{
  pool *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  *p = (pool){.next = n->pools, .references = 1, .network = n, .time = &n->loop->virtual, .limits = *limits};
  list_init(&p->turns);
  list_init(&p->running);
  if (limits->limiter) limiter_ref(limits->limiter);
  n->pools = p;
  network_ref(n);
  return p;
}

void pool_ref(pool *p) { p->references++; }

void pool_close(pool *p)
{
  static const error why = {.kind = ERROR_canceled, .message = "the client was closed"};
  p->closed = true;
  pool_end_waiting(p, true, &why);
  pool_end_running(p, &why);
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
