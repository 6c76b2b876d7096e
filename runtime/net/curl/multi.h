/* One CURLM on the loop. It keeps its own connections; a pool spreads an origin over several multis, because
 * libcurl searches an origin's connections one by one. */
#ifndef LURCHER_NET_MULTI_H
#define LURCHER_NET_MULTI_H

#include "net/pool/network.h"

#include <curl/curl.h>

typedef struct multi {
  network *network;
  const loop_clock *time; /* of its pool; libcurl's own timer is always on the real one */
  CURLM *handle;          /* NULL while nothing was ever sent, or since its idle connections were closed */
  timer timer;
  deferred action;  /* libcurl asked for a call at once: one after this batch */
  size_t in_flight; /* transfers added */
  size_t sockets;   /* open sockets */
  size_t ended;     /* sockets shut down by us that libcurl has not closed yet */
  bool refused;     /* socket() failed for want of a descriptor during the current curl_multi_socket_action */
  size_t most_connections; /* kept open, idle or not */
  bool told;           /* during the current curl_multi_socket_action a transfer failed with an error text */
  uint64_t idle_since; /* time of the last transfer's end */
} multi;

void multi_init(multi *m, network *n, const loop_clock *time, size_t most_connections);

/* Gives an easy handle, whose CURLOPT_PRIVATE is its transfer, to libcurl; the end is told by
 * transfer_finished(). Not from within a libcurl callback. False: libcurl refused (out of memory). */
bool multi_add(multi *m, CURL *easy);

/* Takes a handle back, before it finished or after. Not from within a libcurl callback. */
void multi_remove(multi *m, CURL *easy);

/* Closes every connection, unless a transfer runs. Not from within a libcurl callback. */
void multi_close_idle(multi *m);

/* Ends that many idle connections: nothing goes over them any more, and libcurl closes them when it next
 * looks for one. */
void multi_end_idle(multi *m, size_t count);

/* Connections that may be used, idle or not. */
static inline size_t multi_connections(const multi *m) { return m->sockets - m->ended; }

/* Sets the callbacks for sockets on an easy handle that will run here. */
void multi_set_options(multi *m, CURL *easy);

#endif
