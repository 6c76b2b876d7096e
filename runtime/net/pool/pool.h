/* The connections and limits of one client: which requests may run now, and on which multi.
 *
 * Requests of one origin (scheme, host, port) start by priority and in the order they came; origins that wait
 * take turns. A request runs when a slot of the pool, a slot of its origin and a file descriptor are free and
 * the origin's throttle (rates, holds) lets it pass. */
#ifndef LURCHER_NET_POOL_H
#define LURCHER_NET_POOL_H

#include "core/error.h"
#include "core/table.h"
#include "format/url/url.h"
#include "net/curl/multi.h"
#include "net/flow/throttle.h"
#include "net/transfer/transfer_options.h"

typedef struct pool pool;
typedef struct origin origin;
typedef struct connection_group connection_group;
typedef struct origin_group origin_group;
struct transfer;

typedef struct {
  size_t inflight, per_origin; /* SIZE_MAX: no limit */
  bool adaptive;               /* per origin as many as turn out to be best; per_origin does not count */
  size_t idle;                 /* idle connections kept */
  uint64_t idle_timeout;       /* nanoseconds an idle connection is kept; 0: for ever */
  double rate;                 /* requests a second for each origin; 0: no limit */
  double burst;                /* how many of them may come at once; at least 1 */
  limiter *limiter;            /* every request takes a token from it; counted; NULL: none */
} pool_limits;

struct pool {
  pool *next; /* in the network's list */
  unsigned references;
  network *network;
  loop_clock *time; /* the virtual one: clients are used in and out of virtual runs */
  pool_limits limits;
  connection_group *connection_groups;
  hash_table origins;
  origin *turn_first, *turn_last; /* origins with a request that may start, in turn */
  struct transfer *running;       /* all that libcurl has */
  size_t in_flight, waiting;
  uint64_t started, arrivals;
  timer trim;
  bool admitting, closed;
};

/* A pool with one reference. NULL: out of memory. */
pool *pool_new(network *n, const pool_limits *limits);
void pool_ref(pool *p);
void pool_unref(pool *p);

/* Ends every request of the pool, waiting or running, with kind "canceled", and closes its connections. */
void pool_close(pool *p);

/* Ends every request that waits with the reason of the network's budget; those that were granted only if
 * `granted_too`. */
void pool_refuse_waiting(pool *p, bool granted_too);

/* Ends every request that runs with it. Not from a libcurl callback. */
void pool_refuse_running(pool *p);

/* Ends those that wait for the URL's origin with that failure: they were never sent. */
void pool_refuse_origin(pool *p, const url *u, const error *failure);

/* The throttle of the URL's origin. NULL: out of memory. */
throttle *pool_throttle(pool *p, const url *u);

/* The state of one origin. */
typedef struct {
  size_t in_flight, unread, waiting, slots;
  throttle *throttle;
} pool_flow;

/* False: out of memory. */
bool pool_look(pool *p, const url *u, pool_flow *flow);

/* Takes a transfer whose pool, profile and target are set; it starts at once if it may. False: out of memory.
 */
bool pool_submit(pool *p, struct transfer *t);

/* A transfer leaves: it waits no longer, or its slot is free again. */
void pool_leave(pool *p, struct transfer *t);

/* The caller has read this response's rate-limit headers: it no longer counts as unread (see
 * throttle_set_quota). */
void pool_answer_read(struct transfer *t);

/* The transfer, which has ended, is about to be freed. */
void pool_forget(struct transfer *t);

/* The transfer could not get a socket: it waits again, first in its origin's queue. */
void pool_requeue(pool *p, struct transfer *t);

/* What a waiting transfer waits for, in words. */
void pool_describe_wait(const struct transfer *t, char *text, size_t size);

/* The transfer was connected: its origin's name resolves, and it does or does not speak HTTP/2. */
void pool_origin_known(pool *p, struct transfer *t, bool http2);

bool origin_group_is_known(const origin_group *g);
bool origin_group_is_http2(const origin_group *g);

/* Its origin's name does not resolve: those that wait for the same lookup fail with it. */
void pool_origin_unresolved(struct transfer *t);

/* Starts what may start now. */
void pool_admit(pool *p);

/* ---- pool_idle.c ---- */

/* Closes idle connections where that can be done at once. */
void pool_close_idle(pool *p);

/* Closes connections later that are then idle beyond limits.idle or for longer than limits.idle_timeout. */
void pool_trim_later(pool *p);

/* Open connections, idle or not. */
size_t pool_connections(const pool *p);

/* "host:port" of a transfer's origin; a string as long as the pool. */
const char *origin_name(const origin *o);

#endif
