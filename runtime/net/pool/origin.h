/* Inside of the pool: an origin with its queue and limits, and how its connections are spread. */
#ifndef LURCHER_NET_ORIGIN_H
#define LURCHER_NET_ORIGIN_H

#include "net/flow/adaptive.h"
#include "net/flow/queue.h"
#include "net/flow/throttle.h"
#include "net/pool/pool.h"

/* Multis whose connections may serve the same requests: same TLS options, same resolve and unix_socket. The
 * first multi serves all origins, the others further connections of busy origins. */
struct connection_group {
  connection_group *next;
  char *identity;
  CURLSH *share; /* names and TLS sessions, for all of its multis */
  multi **multis;
  size_t multi_count;
};

/* One origin within a connection group: what is known of it there, and its connections. Nearly every origin
 * has one. */
struct origin_group {
  origin_group *next;
  origin *origin;
  connection_group *connections;
  bool known; /* its name was resolved and its protocol agreed once: connections may be opened side by side */
  bool http2;
  bool shares; /* has names or TLS sessions that all multis of the group can use */
  size_t in_flight;
  size_t *shard_load; /* requests in flight on each of the group's multis */
  size_t shard_count, first_free;
  timer grace; /* until a slow first connection is no longer waited for */
};

/* Scheme, host and port: what limits and the queue are for. */
struct origin {
  table_entry entry; /* in pool->origins */
  pool *pool;
  char *key;        /* "https://host:port" */
  const char *name; /* "host:port", within key */
  origin_group *groups;
  queue queue;
  origin *turn_next, *turn_previous;
  bool in_turn;
  size_t in_flight;
  size_t admissions; /* that point here; it stays as long as there are any */
  size_t unread;     /* requests that started and whose rate-limit headers were not read yet */
  throttle throttle;
  adaptive *adaptive;     /* NULL: limits.per_origin is a number */
  metrics_series *series; /* of the label that was met last; NULL: none yet */
};

/* The group for an identity, made when missing. NULL: out of memory. */
connection_group *connection_group_find(pool *p, const char *identity);
void connection_group_free(connection_group *c);

/* The multi on which the next request runs; `shard` is its number. NULL: out of memory. */
multi *connection_group_choose(origin_group *g, size_t *shard);

/* The pool's origin of a URL, made when missing. NULL: out of memory. */
origin *origin_find(pool *p, const url *u);

/* Takes it off the pool's table and frees it; nothing waits or runs there, and it is in no turn. */
void origin_free(origin *o);

/* Frees origins without requests, limits or learned values: new ones would be the same. */
void origins_forget_idle(pool *p);

/* The group of a request's connections to the origin, made when missing. NULL: out of memory. */
origin_group *origin_group_find(origin *o, const pool_target *to);

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
