/* Keeps the requests of one origin on as few HTTP/2 connections as can carry them. libcurl opens a connection
 * for each request that finds no free stream, also while another is being made. So a request starts when one
 * of the connections has a stream left, or when none is being made: then it may make one.
 *
 * How many streams a connection carries is learnt, not read: libcurl asks for a socket only when all are
 * taken. Only numbers, no sockets. */
#ifndef LURCHER_NET_STREAM_GATE_H
#define LURCHER_NET_STREAM_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  size_t streams, limit; /* running; at most, as far as is known: SIZE_MAX */
  uint16_t port;         /* its local one; 0: over Unix sockets, which are not told apart */
} stream_connection;

/* Zeroed: nothing runs. */
typedef struct {
  stream_connection *connections; /* idle ones, too, until they turn out to be gone */
  size_t count, capacity;
  size_t pending;     /* started, and not on a connection yet */
  size_t connecting;  /* of them, those that make one */
  size_t more_probes; /* beyond one, that may make a connection at once */
  unsigned refusals;  /* connections made because a stream was refused, since the server answered */
  size_t usual_limit; /* of a connection; 0: not known */
  bool settling;   /* the newest connection may not have told its limit yet: libcurl would put more on it */
  uint16_t newest; /* its port */
  bool may_ride;   /* a connection, idle or not, may have a stream left */
} stream_gate;

/* One request's place there; zeroed: it has none. */
typedef struct {
  bool entered : 1, connecting : 1, attached : 1;
  bool rides : 1; /* when it started, there may have been a stream for it */
  uint16_t port;
} stream_ticket;

void stream_gate_free(stream_gate *g);

bool stream_gate_lets_start(const stream_gate *g);
void stream_gate_enter(stream_gate *g, stream_ticket *t);
void stream_gate_leave(stream_gate *g, stream_ticket *t);

/* libcurl found no stream for it and asks for a socket. `may`: it could use one. False: it has to leave and
 * start again. */
bool stream_gate_may_connect(stream_gate *g, stream_ticket *t, bool may);

/* So many streams were refused, on connections of their own, that there is no point in making another. */
bool stream_gate_has_enough(const stream_gate *g);

/* It has a connection: others may start. */
void stream_gate_attach(stream_gate *g, stream_ticket *t, uint16_t port);

/* The server has answered it. */
void stream_gate_answered(stream_gate *g, const stream_ticket *t);

/* The connections that are being made take long, or fail: twice as many may be, until one is made. */
void stream_gate_widen(stream_gate *g);

#endif
