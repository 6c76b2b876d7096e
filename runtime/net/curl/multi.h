/* One CURLM on the loop. It keeps its own connections; a pool spreads an origin over several engines, because
 * libcurl searches an origin's connections one by one. */
#ifndef LURCHER_NET_ENGINE_H
#define LURCHER_NET_ENGINE_H

#include "net/pool/network.h"

#include <curl/curl.h>

typedef struct engine {
  network *network;
  const loop_clock *time; /* of its pool; libcurl's own timer is always on the real one */
  CURLM *multi;           /* NULL while nothing was ever sent, or since its idle connections were closed */
  timer timer;
  deferred action;         /* libcurl asked for a call at once: one after this batch */
  size_t in_flight;        /* transfers added */
  size_t sockets;          /* open connections … */
  size_t ended;            /* … that are of no more use */
  bool refused;            /* libcurl's call just made wanted a socket, and no file descriptor was left */
  size_t most_connections; /* kept open, idle or not */
  bool told;               /* a transfer that failed in libcurl's call just made came with libcurl's words */
  uint64_t idle_since;     /* time of the last transfer's end */
} engine;

void engine_init(engine *e, network *n, const loop_clock *time, size_t most_connections);

/* Gives an easy handle, whose CURLOPT_PRIVATE is its transfer, to libcurl; the end is told by
 * transfer_finished(). Not from within a libcurl callback. False: libcurl refused (out of memory). */
bool engine_add(engine *e, CURL *easy);

/* Takes a handle back, before it finished or after. Not from within a libcurl callback. */
void engine_remove(engine *e, CURL *easy);

/* Closes every connection, unless a transfer runs. Not from within a libcurl callback. */
void engine_close_idle(engine *e);

/* Ends that many idle connections: nothing goes over them any more, and libcurl closes them when it next
 * looks for one. */
void engine_end_idle(engine *e, size_t count);

/* Connections that may be used, idle or not. */
static inline size_t engine_connections(const engine *e) { return e->sockets - e->ended; }

/* Sets the callbacks for sockets on an easy handle that will run here. */
void engine_set_options(engine *e, CURL *easy);

#endif
