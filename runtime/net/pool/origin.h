/* Inside of the pool: an origin with its queue and limits. */
#ifndef LURCHER_NET_ORIGIN_H
#define LURCHER_NET_ORIGIN_H

#include "net/flow/adaptive.h"
#include "net/flow/queue.h"
#include "net/flow/throttle.h"
#include "net/pool/pool.h"

/* Scheme, host and port: what limits and the queue are for. */
struct origin {
  table_entry entry; /* in pool->origins */
  pool *pool;
  char *key;                         /* "https://host:port" */
  const char *name;                  /* "host:port", within key */
  size_t scheme_length, host_length; /* in key; the host without brackets */
  uint16_t port;
  origin_group *groups;
  queue queue;
  list_link turn; /* in pool->turns, while one of its requests may start */
  size_t in_flight;
  size_t admissions; /* that point here; it stays as long as there are any */
  throttle throttle;
  adaptive *adaptive;     /* NULL: limits.per_origin is a number */
  metrics_series *series; /* of the label that was met last; NULL: none yet */
};

/* The pool's origin of a URL, made when missing. NULL: out of memory. */
origin *origin_find(pool *p, const url *u);

/* Takes it off the pool's table and frees it; nothing waits or runs there, and it is in no turn. */
void origin_free(origin *o);

/* Frees origins without requests, limits or learned values: new ones would be the same. */
void origins_forget_idle(pool *p);

/* Requests that may run at the origin at once. */
size_t origin_slots(const origin *o);

/* A request that ran there ends: adapts the number of slots to how it went. */
void origin_learn(origin *o, const origin_sample *sample);

/* Lets the origin take its turn again if one of its requests might start. */
void origin_offer(origin *o);
void origin_leave_turn(origin *o);

/* Whether the first that waits may start now; it has to, then: its tokens are taken. */
bool origin_may_start(origin *o);

#endif
