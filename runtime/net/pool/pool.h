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
#include "net/flow/throttle.h"
#include "net/pool/admission.h"
#include "net/pool/network.h"

typedef struct pool pool;
typedef struct origin origin;
typedef struct connection_group connection_group;
typedef struct origin_group origin_group;

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
  origin *recent;      /* found last; NULL: none, or it is gone */
  linked_list turns;   /* origin.turn: origins with a request that may start, in turn */
  linked_list running; /* all that hold a slot: queue_item.link */
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

/* Ends every request that waits; those that had started once only if `granted_too`. */
void pool_end_waiting(pool *p, bool granted_too, const error *why);

/* Ends every request that runs. Not from a libcurl callback. */
void pool_end_running(pool *p, const error *why);

/* Ends those that wait for the URL's origin: they were never sent. */
void pool_end_waiting_at(pool *p, const url *u, const error *why);

/* The throttle of the URL's origin. NULL: out of memory. */
throttle *pool_throttle(pool *p, const url *u);

/* The state of one origin. */
typedef struct {
  size_t in_flight, waiting, slots;
  throttle *throttle;
} pool_flow;

/* False: out of memory. */
bool pool_look(pool *p, const url *u, pool_flow *flow);

/* Where a request goes. */
typedef struct {
  const url *url;
  const char *identity; /* of its connections: see connection_group_find */
  bool http1_only;      /* HTTP/2 is not offered to the server */
  bool http2_only;      /* it speaks nothing else */
  bool by_proxy;        /* it goes to a proxy, whose name is looked up */
  const char *label;    /* for metrics; NULL: none */
} pool_target;

/* What a request that ran says about how many its origin can take; nanoseconds. */
typedef struct {
  bool overloaded; /* refused, timed out or not connected */
  bool answered;
  uint64_t age;     /* since it was dispatched */
  uint64_t latency; /* to its first byte, from when it was connected; if `answered` */
} origin_sample;

/* Takes a request whose class and priority are set; it starts at once if it may. False: out of memory. */
bool pool_submit(pool *p, admission *a, const pool_target *to);

/* The request has ended: it waits no longer, or its slot is free again. `sample`: of one that ran; NULL:
 * nothing is known. */
void pool_leave(admission *a, const origin_sample *sample);

/* The caller has read this response's rate-limit headers, or there is no response: it no longer counts as
 * unread. `accepted`: there is one, and no refusal (see throttle_answered). */
void pool_answer_read(admission *a, bool accepted);

/* The server asks that no request to that origin starts before `seconds` are over: see throttle_hold. Those
 * that wait and whose time would be over by then end at once, kind "timeout"; so do those that come
 * meanwhile. `*news`: what throttle_hold says. False: out of memory. */
bool pool_hold(pool *p, const url *u, double seconds, const char *why, uint64_t age, bool *news);

/* The request, which has ended, is about to be freed. */
void pool_forget(admission *a);

/* The request could not get a socket: it waits again, first in its origin's queue. */
void pool_requeue(admission *a);

/* What a waiting request waits for, in words. */
void pool_describe_wait(const admission *a, char *text, size_t size);

/* The request was connected: its origin's name resolves, and it does or does not speak HTTP/2, which may not
 * be what it did before. May be called by libcurl's callbacks. */
void pool_origin_known(admission *a, bool http2);

/* libcurl has no stream for the request and asks for a socket. `may`: it could use one.
 * False: it has to be submitted again with pool_requeue. May be called by libcurl's callbacks. */
bool pool_may_connect(admission *a, bool may);

/* The request has a connection, whose local port that is (0: none). After pool_origin_known. May be called by
 * libcurl's callbacks. */
void pool_connected(admission *a, int local_port);

/* Whether the server has refused one stream after the other, and answered nobody meanwhile. */
bool pool_is_turned_away(const admission *a);
void pool_forgive(admission *a);

/* Ends those that wait for a connection of the same kind. */
void pool_end_group(admission *a, const error *why);

/* The request could not be connected; its origin's name resolves. */
void pool_origin_failed(admission *a);

/* The request could not be connected: its origin's name may have another address by now. */
void pool_distrust_name(admission *a);

/* Whether the request that runs now has to look the name up for that reason; those beside it need not. */
bool pool_looks_up(admission *a);

/* Counts a response that began over HTTP/2 at the request's origin; how many there were. */
void pool_count_answer(admission *a);
unsigned pool_answers(const admission *a);

/* A request over HTTP/2 ran out of time after so many nanoseconds in which nothing of it came. When nothing
 * else came over its connection either, which `local_port` tells, later ones go over another: this one may be
 * dead, and whatever else runs over it may still come. */
void pool_leave_silent(admission *a, int local_port, uint64_t waited);

/* Its origin's name does not resolve: those that wait for the same lookup end with it. */
void pool_origin_unresolved(admission *a, const error *why);

/* Whether that is known; and whether it speaks HTTP/2. */
bool pool_origin_is_known(const admission *a);
bool pool_origin_is_http2(const admission *a);

/* "host:port" of the request's origin; as long as the request. */
const char *pool_origin_name(const admission *a);

/* Starts what may start now. */
void pool_admit(pool *p);

#endif
