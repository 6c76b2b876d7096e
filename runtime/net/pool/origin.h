/* Inside of the pool: an origin with its queue and limits, and how its connections are spread. */
#ifndef LURCHER_NET_ORIGIN_H
#define LURCHER_NET_ORIGIN_H

#include "net/flow/adaptive.h"
#include "net/flow/throttle.h"
#include "net/pool/pool.h"
#include "net/flow/queue.h"

/* Engines for connections that may be shared: those of one TLS identity and one set of addresses. The first
 * engine serves all origins, the further ones the busy origins' further connections. */
struct lane {
  lane *next;
  char *identity;
  CURLSH *share; /* names and TLS sessions, for all of its engines */
  engine **engines;
  size_t engine_count;
};

/* An origin by one lane: what is known of it there, and its connections. Nearly every origin has one. */
struct route {
  route *next;
  origin *origin;
  lane *lane;
  bool known; /* its name was resolved and its protocol agreed once: connections may be opened side by side */
  bool http2;
  bool shares; /* has names or TLS sessions that all engines of the lane can use */
  size_t in_flight;
  size_t *shard_load; /* requests in flight on each of the lane's engines */
  size_t shard_count, first_free;
  timer grace; /* until a slow first connection is no longer waited for */
};

/* Scheme, host and port: what limits and the queue are for. */
struct origin {
  origin *next_in_bucket;
  size_t hash;
  pool *pool;
  char *key;        /* "https://host:port" */
  const char *name; /* "host:port", within key */
  route *routes;
  transfer_queue queue;
  origin *turn_next, *turn_previous;
  bool in_turn;
  size_t in_flight;
  size_t transfers; /* that point here; it stays as long as there are any */
  size_t unread;    /* requests that started, and whose answer nobody has looked at yet */
  gate gate;
  adaptive *adaptive;     /* NULL: limits.per_origin is a number */
  metrics_series *series; /* of the label that was met last; NULL: none yet */
};

/* The lane for an identity, made when missing. NULL: out of memory. */
lane *lane_find(pool *p, const char *identity);
void lane_free(lane *l);

/* The engine on which the route's next request runs; `shard` is its number. NULL: out of memory. */
engine *lane_choose(route *r, size_t *shard);

/* The pool's origin of a URL, made when missing. NULL: out of memory. */
origin *origin_find(pool *p, const url *u);

/* Frees it; nothing waits or runs there. It has to be off the pool's table and turns already. */
void origin_free(origin *o);

/* Frees all that would be the same if they were made anew. */
void origins_forget_idle(pool *p);

/* The way by which a transfer to the origin goes, made when missing. NULL: out of memory. */
route *route_find(origin *o, const struct transfer *t);

/* Requests that may run at the origin at once. */
size_t origin_slots(const origin *o);

/* A transfer that ran there is about to leave: what it says about how many should. */
void origin_learn(origin *o, const struct transfer *t);

/* Lets the origin take its turn again if one of its requests might start. */
void origin_offer(origin *o);
void origin_leave_turn(origin *o);

/* Whether the first that waits may start now; it has to, then: its tokens are taken. */
bool origin_may_start(origin *o);

#endif
