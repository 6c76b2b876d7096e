#ifndef LURCHER_NET_ORIGIN_GROUP_H
#define LURCHER_NET_ORIGIN_GROUP_H

#include "net/pool/pool.h"
#include "net/pool/stream_gate.h"

/* One origin within a connection group: what is known of it there, and its connections. Nearly every origin
 * has one. */
struct origin_group {
  origin_group *next;
  origin *origin;
  connection_group *connections;
  bool known; /* its name was resolved and its protocol agreed once: connections may be opened side by side */
  bool http2;
  bool gated; /* HTTP/2 may be spoken, so `streams` tells which request may start */
  stream_gate streams;
  size_t http2_shard; /* the multi whose connection carries its HTTP/2 requests */
  bool distrusted;    /* the addresses last known of its name did not answer */
  unsigned answered;  /* HTTP/2 requests whose response began */
  bool shares;        /* has names or TLS sessions that all multis of the group can use */
  size_t in_flight;
  size_t *shard_load; /* requests in flight on each of the group's multis */
  size_t shard_count, first_free;
  timer grace; /* until a slow connection is no longer waited for */
};

/* The group of a request's connections to the origin, made when missing. NULL: out of memory. */
origin_group *origin_group_find(origin *o, const pool_target *to);
void origin_group_free(origin_group *g);

/* Whether one more request may start, as far as its connections are concerned. */
bool origin_group_lets_start(const origin_group *g);

/* One would, but for that: it does not wait for a slow connection for long. */
void origin_group_await(origin_group *g);

/* The multi on which the next request runs; `shard` is its number. NULL: out of memory. */
multi *origin_group_choose(origin_group *g, uint16_t *shard);

#endif
