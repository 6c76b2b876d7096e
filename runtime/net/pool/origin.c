#include "net/pool/origin.h"

#include "core/container_of.h"
#include "format/url/url_text.h"
#include "net/pool/origin_group.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ADAPTIVE = 10000 };

/* How long an unused limit that was found out is remembered. */
static const uint64_t ADAPTIVE_LASTS = 60000 * MILLISECOND;

/* ---- the pool's table ---- */

static uint64_t hash_target(const url *u)
{
  uint64_t hash = table_hash(TABLE_HASH_START ^ u->port, url_bytes(u, u->scheme), u->scheme.length);
  return table_hash(hash, url_bytes(u, u->host), u->host.length);
}

static bool is_for(const origin *o, const url *u)
{
  size_t scheme = o->scheme_length, host = o->host_length;
  return o->port == u->port && host == u->host.length && scheme == u->scheme.length &&
         !memcmp(o->key, url_bytes(u, u->scheme), scheme) &&
         !memcmp(o->key + scheme + 3 + u->ipv6, url_bytes(u, u->host), host);
}

static bool same_target(const table_entry *e, const void *wanted)
{
  return is_for(container_of(e, const origin, entry), wanted);
}

static void on_throttle_open(throttle *t)
{
  origin *o = container_of(t, origin, throttle);
  origin_offer(o);
  pool_admit(o->pool);
}

static size_t most_slots(const pool_limits *limits)
{
  return limits->inflight < MAX_ADAPTIVE ? limits->inflight : MAX_ADAPTIVE;
}

static origin *new_origin(pool *p, const url *u, uint64_t hash)
{
  const pool_limits *limits = &p->limits;
  origin *o = calloc(1, sizeof *o);
  buffer key = {0};
  adaptive *its_adaptive = limits->adaptive ? malloc(sizeof *its_adaptive) : NULL;
  if (!o || !url_write_origin(u, &key) || (limits->adaptive && !its_adaptive) ||
      !table_add(&p->origins, &o->entry, hash)) {
    free(its_adaptive);
    free(o);
    buffer_free(&key);
    return NULL;
  }
  o->pool = p;
  queue_init(&o->queue);
  o->key = key.bytes;
  o->name = key.bytes + u->scheme.length + 3;
  o->scheme_length = u->scheme.length;
  o->host_length = u->host.length;
  o->port = u->port;
  /* Rates and holds apply to all tasks that use the client, in a virtual run or not: while one is on, by its
   * clock.
   */
  throttle_init(&o->throttle, p->time, limits->rate, limits->burst, limits->limiter, on_throttle_open);
  if (its_adaptive) adaptive_init(its_adaptive, most_slots(limits), clock_now(o->throttle.time));
  o->adaptive = its_adaptive;
  return o;
}

/* Most clients have one origin. */
origin *origin_find(pool *p, const url *u)
{
  if (p->recent && is_for(p->recent, u)) return p->recent;
  uint64_t hash = hash_target(u);
  table_entry *e = table_find(&p->origins, hash, same_target, u);
  return p->recent = e ? container_of(e, origin, entry) : new_origin(p, u, hash);
}

void origin_free(origin *o)
{
  for (origin_group *g = o->groups, *next; g; g = next) {
    next = g->next;
    origin_group_free(g);
  }
  throttle_deinit(&o->throttle);
  queue_free(&o->queue);
  free(o->adaptive);
  table_remove(&o->pool->origins, &o->entry);
  if (o->pool->recent == o) o->pool->recent = NULL;
  free(o->key);
  free(o);
}

static bool adaptive_is_old(const origin *o)
{
  return !o->adaptive || clock_now(o->throttle.time) - o->adaptive->last > ADAPTIVE_LASTS;
}

void origins_forget_idle(pool *p)
{
  for (table_entry *e = table_next(&p->origins, NULL), *next; e; e = next) {
    next = table_next(&p->origins, e);
    origin *o = container_of(e, origin, entry);
    if (o->admissions || !throttle_is_fresh(&o->throttle) || !adaptive_is_old(o)) continue;
    origin_leave_turn(o);
    origin_free(o);
  }
}

/* ---- turns ---- */

void origin_leave_turn(origin *o) { list_remove(&o->turn); }

static void join_turn(origin *o)
{
  if (!list_has(&o->turn)) list_append(&o->pool->turns, &o->turn);
}

size_t origin_slots(const origin *o)
{
  return o->adaptive ? adaptive_slots(o->adaptive) : o->pool->limits.per_origin;
}

void origin_learn(origin *o, const origin_sample *sample)
{
  if (!o->adaptive) return;
  uint64_t now = clock_now(o->throttle.time);
  if (sample->overloaded)
    adaptive_overload(o->adaptive, now, sample->age);
  else if (sample->answered)
    adaptive_sample(o->adaptive, now, sample->age, sample->latency, o->in_flight);
}

static admission *first_of(const origin *o)
{
  queue_item *item = queue_first(&o->queue);
  return item ? container_of(item, admission, item) : NULL;
}

static bool has_slot(const origin *o, const admission *a)
{
  return o->in_flight < origin_slots(o) && origin_group_lets_start(a->group);
}

void origin_offer(origin *o)
{
  const admission *a = first_of(o);
  if (!a || o->in_flight >= origin_slots(o)) return;
  if (origin_group_lets_start(a->group))
    join_turn(o);
  else
    origin_group_await(a->group);
}

bool origin_may_start(origin *o)
{
  const admission *a = first_of(o);
  if (!a || !has_slot(o, a)) return false;
  if (!run_limits_lets_start(&o->pool->network->run_limits, a->granted)) return false;
  return throttle_pass(&o->throttle, a->item.arrival);
}
