/* Inside of pool.c and lane.c: an origin's queue, and how its connections are spread. */
#ifndef LURCHER_NET_ORIGIN_H
#define LURCHER_NET_ORIGIN_H

#include "net/pool.h"

/* Engines for connections that may be shared: those of one TLS identity and one set of addresses. The first
 * engine serves all origins, the further ones the busy origins' further connections. */
struct lane {
  lane *next;
  char *identity;
  CURLSH *share; /* names and TLS sessions, for all of its engines */
  engine **engines;
  size_t engine_count;
};

struct origin {
  origin *next_in_bucket;
  size_t hash;
  pool *pool;
  lane *lane;
  char *key;        /* "https://host:port" */
  const char *name; /* "host:port", within key */
  struct transfer *first_waiting, *last_waiting;
  origin *turn_next, *turn_previous;
  bool in_turn;
  bool known; /* its name was resolved and its protocol agreed once: connections may be opened side by side */
  bool http2;
  bool shares; /* has names or TLS sessions that all engines of the lane can use */
  size_t in_flight;
  size_t *shard_load; /* requests in flight on each of the lane's engines */
  size_t shard_count, first_free;
  metrics_series *series; /* of the label that was met last; NULL: none yet */
  double tokens;
  uint64_t tokens_at;
  timer wait; /* until the rate has a token, or until a slow first connection is no longer waited for */
};

/* The lane for an identity, made when missing. NULL: out of memory. */
lane *lane_find(pool *p, const char *identity);
void lane_free(lane *l);

/* The engine on which the origin's next request runs; `shard` is its number. NULL: out of memory. */
engine *lane_choose(origin *o, size_t *shard);

#endif
