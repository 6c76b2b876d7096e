#include "net/pool.h"

#include "net/origin.h"
#include "net/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long the first request to an unknown origin may keep the others waiting. */
static const uint64_t PROBE_GRACE = 250 * MILLISECOND;
static const uint64_t TRIM_INTERVAL = 1000 * MILLISECOND;
static const uint64_t QUIET_TRIM_INTERVAL = 50 * MILLISECOND;

const char *origin_name(const origin *o) { return o->name; }
bool pool_origin_is_known(const origin *o) { return o->known; }
bool pool_origin_is_http2(const origin *o) { return o->http2; }

/* ---- origins ---- */

static size_t hash_bytes(size_t hash, const char *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
  return hash;
}

static size_t hash_target(const url *u, const lane *l)
{
  size_t hash =
      hash_bytes(0xcbf29ce484222325u ^ u->port ^ (size_t)l, url_bytes(u, u->scheme), u->scheme.length);
  return hash_bytes(hash, url_bytes(u, u->host), u->host.length);
}

static bool same_target(const origin *o, const url *u)
{
  size_t scheme = u->scheme.length, host = u->host.length;
  const char *name = o->key + scheme + 3 + u->ipv6;
  return !memcmp(o->key, url_bytes(u, u->scheme), scheme) && o->key[scheme] == ':' &&
         !strncmp(name, url_bytes(u, u->host), host) && name[host + u->ipv6] == ':' &&
         atoi(name + host + u->ipv6 + 1) == u->port;
}

static bool is_numeric_host(const url *u)
{
  const char *host = url_bytes(u, u->host);
  return u->ipv6 || strspn(host, "0123456789.") >= u->host.length;
}

static bool grow_origins(pool *p)
{
  size_t capacity = p->origin_capacity ? p->origin_capacity * 2 : 16;
  origin **buckets = calloc(capacity, sizeof(origin *));
  if (!buckets) return p->origin_capacity > 0;
  for (size_t i = 0; i < p->origin_capacity; i++)
    for (origin *o = p->origins[i], *next; o; o = next) {
      next = o->next_in_bucket;
      o->next_in_bucket = buckets[o->hash & (capacity - 1)];
      buckets[o->hash & (capacity - 1)] = o;
    }
  free(p->origins);
  p->origins = buckets;
  p->origin_capacity = capacity;
  return true;
}

static origin *new_origin(pool *p, lane *l, const url *u, size_t hash, bool may_be_http2)
{
  origin *o = calloc(1, sizeof *o);
  buffer key = {0};
  if (!o || !url_write_origin(u, &key)) {
    free(o);
    buffer_free(&key);
    return NULL;
  }
  *o = (origin){.hash = hash, .pool = p, .lane = l, .key = key.bytes, .name = strstr(key.bytes, "://") + 3};
  o->tokens = p->limits.burst;
  o->tokens_at = clock_now(p->time);
  o->known = is_numeric_host(u) && !may_be_http2;
  o->shares = !is_numeric_host(u) || u->scheme.length == 5;
  o->next_in_bucket = p->origins[hash & (p->origin_capacity - 1)];
  p->origins[hash & (p->origin_capacity - 1)] = o;
  p->origin_count++;
  return o;
}

static void free_origin(origin *o)
{
  loop_timer_stop(o->pool->network->loop, &o->wait);
  o->pool->origin_count--;
  free(o->shard_load);
  free(o->key);
  free(o);
}

static origin *find_origin(pool *p, const transfer *t)
{
  lane *l = lane_find(p, t->profile->identity);
  if (!l) return NULL;
  size_t hash = hash_target(&t->target, l);
  if (p->origin_capacity)
    for (origin *o = p->origins[hash & (p->origin_capacity - 1)]; o; o = o->next_in_bucket)
      if (o->hash == hash && o->lane == l && same_target(o, &t->target)) return o;
  if (p->origin_count >= p->origin_capacity && !grow_origins(p)) return NULL;
  bool may_be_http2 = t->target.scheme.length == 5 && t->profile->version != HTTP_1_1;
  return new_origin(p, l, &t->target, hash, may_be_http2);
}

/* ---- turns ---- */

static void leave_turn(origin *o)
{
  if (!o->in_turn) return;
  pool *p = o->pool;
  *(o->turn_previous ? &o->turn_previous->turn_next : &p->turn_first) = o->turn_next;
  *(o->turn_next ? &o->turn_next->turn_previous : &p->turn_last) = o->turn_previous;
  o->turn_next = o->turn_previous = NULL;
  o->in_turn = false;
}

static void join_turn(origin *o)
{
  pool *p = o->pool;
  if (o->in_turn) return;
  o->turn_previous = p->turn_last;
  *(p->turn_last ? &p->turn_last->turn_next : &p->turn_first) = o;
  p->turn_last = o;
  o->in_turn = true;
}

static bool has_slot(const origin *o) { return o->in_flight < (o->known ? o->pool->limits.per_origin : 1); }

/* Lets the origin take its turn again if one of its requests might start. */
static void offer(origin *o)
{
  if (o->first_waiting && has_slot(o)) join_turn(o);
}

static void on_wait_over(timer *t)
{
  origin *o = (origin *)((char *)t - offsetof(origin, wait));
  o->known = true;
  offer(o);
  pool_admit(o->pool);
}

static void wait_until(origin *o, uint64_t due) { clock_start(o->pool->time, &o->wait, due, on_wait_over); }

/* Takes a token of the origin's rate; without one, sets the timer for the next. */
static bool take_token(origin *o)
{
  const pool_limits *limits = &o->pool->limits;
  if (limits->rate <= 0) return true;
  uint64_t now = clock_now(o->pool->time);
  double tokens = o->tokens + (double)(now - o->tokens_at) / NANOSECONDS * limits->rate;
  o->tokens = tokens < limits->burst ? tokens : limits->burst;
  o->tokens_at = now;
  if (o->tokens >= 1) {
    o->tokens -= 1;
    return true;
  }
  wait_until(o, now + loop_nanoseconds((1 - o->tokens) / limits->rate) + 1);
  return false;
}

/* ---- queue ---- */

static void enqueue(origin *o, transfer *t)
{
  t->previous = o->last_waiting;
  t->next = NULL;
  *(o->last_waiting ? &o->last_waiting->next : &o->first_waiting) = t;
  o->last_waiting = t;
  o->pool->waiting++;
}

static void dequeue(origin *o, transfer *t)
{
  *(t->previous ? &t->previous->next : &o->first_waiting) = t->next;
  *(t->next ? &t->next->previous : &o->last_waiting) = t->previous;
  t->next = t->previous = NULL;
  o->pool->waiting--;
}

static void count_in(pool *p, transfer *t)
{
  origin *o = t->origin;
  o->in_flight++;
  o->shard_load[t->shard]++;
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
  origin *o = t->origin;
  network *n = p->network;
  o->in_flight--;
  if (--o->shard_load[t->shard], t->shard < o->first_free) o->first_free = t->shard;
  p->in_flight--;
  if (n->running-- == n->max_running) network_descriptor_freed(n);
  if (!n->running && n->budget.refused && n->budget.on_quiet) n->budget.on_quiet(n->budget.user);
  *(t->previous ? &t->previous->next : &p->running) = t->next;
  if (t->next) t->next->previous = t->previous;
  t->next = t->previous = NULL;
}

static void start_first(origin *o)
{
  pool *p = o->pool;
  transfer *t = o->first_waiting;
  dequeue(o, t);
  t->engine = lane_choose(o, &t->shard);
  if (!t->engine) {
    t->origin = NULL; /* it holds nothing */
    transfer_fail_memory(t);
    return;
  }
  count_in(p, t);
  if (!o->known && o->in_flight == 1) wait_until(o, clock_now(p->time) + PROBE_GRACE);
  transfer_run(t, o->shares ? o->lane->share : NULL);
}

void pool_admit(pool *p)
{
  if (p->admitting) return; /* a transfer that failed at its start: the loop below goes on */
  p->admitting = true;
  origin *o;
  while ((o = p->turn_first) && p->in_flight < p->limits.inflight && network_has_room(p->network)) {
    leave_turn(o);
    if (!o->first_waiting || !has_slot(o)) continue;
    if (!budget_lets_start(&p->network->budget, o->first_waiting->granted) || !take_token(o)) continue;
    start_first(o);
    offer(o);
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
  origin *o = find_origin(p, t);
  if (!o) return false;
  t->origin = o;
  t->series = find_series(o, t->label ? t->label : "");
  if (t->series) t->series->waiting++;
  enqueue(o, t);
  offer(o);
  pool_admit(p);
  return true;
}

static void trim_later(pool *p);

void pool_leave(pool *p, transfer *t)
{
  origin *o = t->origin;
  if (t->state == TRANSFER_WAITING) {
    dequeue(o, t);
    if (!o->first_waiting) leave_turn(o);
    return;
  }
  count_out(p, t);
  offer(o);
  pool_admit(p);
  trim_later(p);
}

void pool_requeue(pool *p, transfer *t)
{
  origin *o = t->origin;
  count_out(p, t);
  t->next = o->first_waiting;
  *(t->next ? &t->next->previous : &o->last_waiting) = t;
  o->first_waiting = t;
  p->waiting++;
  budget_requeued(&p->network->budget);
  offer(o);
}

void pool_origin_known(pool *p, transfer *t, bool http2)
{
  origin *o = t->origin;
  o->http2 = http2;
  if (o->known) return;
  o->known = true;
  offer(o);
  loop_defer(p->network->loop, &p->network->admit_all); /* libcurl is running */
}

void pool_origin_unresolved(pool *p, transfer *t)
{
  origin *o = t->origin;
  if (o->known) return;
  transfer *waiting = o->first_waiting;
  (void)p;
  while (waiting) {
    transfer *next = waiting->next;
    transfer_fail_like(waiting, t);
    waiting = next;
  }
}

/* ---- idle connections ---- */

static size_t idle_connections(const engine *e)
{
  return e->sockets > e->in_flight ? e->sockets - e->in_flight : 0;
}

size_t pool_connections(const pool *p)
{
  size_t count = 0;
  for (lane *l = p->lanes; l; l = l->next)
    for (size_t i = 0; i < l->engine_count; i++) count += l->engines[i]->sockets;
  return count;
}

static void forget_idle_origins(pool *p)
{
  for (size_t i = 0; i < p->origin_capacity; i++)
    for (origin **place = &p->origins[i], *o; (o = *place);) {
      bool full = p->limits.rate <= 0 || o->tokens >= p->limits.burst;
      if (o->in_flight || o->first_waiting || !full) {
        place = &o->next_in_bucket;
      } else {
        leave_turn(o);
        *place = o->next_in_bucket;
        free_origin(o);
      }
    }
}

/* Closes the engines whose connections were idle for too long, or are more than may idle; the last engines
 * first, since the first are filled first. */
static void trim(pool *p, bool all)
{
  uint64_t now = clock_now(p->time), timeout = p->limits.idle_timeout;
  size_t idle = 0;
  for (lane *l = p->lanes; l; l = l->next)
    for (size_t i = 0; i < l->engine_count; i++) idle += idle_connections(l->engines[i]);
  for (lane *l = p->lanes; l; l = l->next)
    for (size_t i = l->engine_count; i-- > 0;) {
      engine *e = l->engines[i];
      bool old = timeout && now - e->idle_since >= timeout;
      if (e->in_flight || !e->multi || !(all || old || idle > p->limits.idle)) continue;
      size_t was = idle_connections(e);
      engine_close_idle(e);
      idle -= was;
    }
}

static void on_trim(timer *t)
{
  pool *p = (pool *)((char *)t - offsetof(pool, trim));
  trim(p, false);
  if (!p->in_flight && p->origin_count > 256) forget_idle_origins(p);
  size_t connections = pool_connections(p);
  if (connections && (p->limits.idle_timeout || connections > p->limits.idle)) trim_later(p);
}

/* Soon when nothing runs and more connections are left than may idle: a pause between two requests of a busy
 * script should not cost connections that the next ones would use. */
static uint64_t trim_interval(const pool *p)
{
  uint64_t timeout = p->limits.idle_timeout;
  if (!p->in_flight && pool_connections(p) > p->limits.idle) return QUIET_TRIM_INTERVAL;
  return timeout && timeout < TRIM_INTERVAL ? timeout : TRIM_INTERVAL;
}

static void trim_later(pool *p)
{
  if (timer_active(&p->trim) && p->in_flight) return;
  uint64_t due = clock_now(p->time) + trim_interval(p);
  if (!timer_active(&p->trim) || due < p->trim.due) clock_start(p->time, &p->trim, due, on_trim);
}

void pool_close_idle(pool *p) { trim(p, true); }

/* ---- life ---- */

pool *pool_new(network *n, const pool_limits *limits, loop_clock *time)
{
  pool *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  *p = (pool){.next = n->pools, .references = 1, .network = n, .time = time, .limits = *limits};
  n->pools = p;
  network_ref(n);
  return p;
}

void pool_ref(pool *p) { p->references++; }

void pool_refuse_waiting(pool *p, bool granted_too)
{
  for (size_t i = 0; i < p->origin_capacity; i++)
    for (origin *o = p->origins[i]; o; o = o->next_in_bucket)
      for (transfer *t = o->first_waiting, *next; t; t = next) {
        next = t->next;
        if (granted_too || !t->granted) transfer_refuse(t);
      }
}

void pool_refuse_running(pool *p)
{
  while (p->running) transfer_refuse(p->running);
}

void pool_close(pool *p)
{
  static const char why[] = "the client was closed";
  p->closed = true;
  for (size_t i = 0; i < p->origin_capacity; i++)
    for (origin *o = p->origins[i]; o; o = o->next_in_bucket)
      while (o->first_waiting) transfer_cancel(o->first_waiting, why);
  while (p->running) transfer_cancel(p->running, why);
  trim(p, true);
}

void pool_unref(pool *p)
{
  if (!p || --p->references) return;
  loop_timer_stop(p->network->loop, &p->trim);
  for (size_t i = 0; i < p->origin_capacity; i++)
    for (origin *o = p->origins[i], *next; o; o = next) {
      next = o->next_in_bucket;
      free_origin(o);
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
  free(p);
  network_unref(n);
}
