/* The connections of a multi between two exchanges: idle ones are watched, ended and given up here, since
 * libcurl looks at them only when it takes one. */
#ifndef LURCHER_NET_MULTI_IDLE_H
#define LURCHER_NET_MULTI_IDLE_H

#include "net/curl/multi.h"

/* A job stops reading for a while. libcurl wants nothing of its socket then, and the socket may still
 * count as idle: when request, answer and pause happened in one call, nobody heard that it was taken. libcurl
 * does not tell the socket; `local_port` tells those it can be (0: any whose port is not known). May be
 * called by libcurl's callbacks. */
void multi_hold_sockets(multi *m, int local_port);

/* The exchange of `easy`, which shared its connection with no other, is over and libcurl has let go of its
 * connection: what can be read on it now (or, when `has_unread`, is held by its TLS session), nobody asked
 * for, so the connection ends. Not from within a libcurl callback. */
void multi_rest_socket(multi *m, CURL *easy, bool (*has_unread)(void *session), void *session);

/* libcurl is about to send a request over the connection with that local port. May be called by its
 * callbacks. */
void multi_note_begun(multi *m, int local_port);

/* An exchange is over that began in the current call of libcurl (`in_this_call`) or an earlier one: whether
 * its connection serves another by now. */
bool multi_serves_another(const multi *m, int local_port, bool in_this_call);

/* libcurl has taken an idle connection, of which it tells the local port, and is about to send a request:
 * whether something can be read on it, or could 100 µs ago, be it the peer's end or what nobody asked for.
 * May be called by libcurl's callbacks. */
bool multi_has_surplus(const multi *m, int local_port);

/* The same of a connection of HTTP/2, over which frames may come at any time: whether it was idle, and the
 * peer has ended it. Then it ends here, too. libcurl 7.88 takes one for alive on which the TLS close_notify
 * waits to be read. May be called by libcurl's callbacks. */
bool multi_was_left(multi *m, int local_port);

/* The exchange of `easy` is over: its connection ends by itself after so many nanoseconds without another. */
void multi_expire_socket(multi *m, CURL *easy, uint64_t lifetime);

/* Whether nothing came for so long (nanoseconds) over the connections with that local port. */
bool multi_is_silent(const multi *m, int local_port, uint64_t period);

/* Ends that many idle connections: nothing goes over them any more, and libcurl closes them when it next
 * looks for one. */
void multi_end_idle(multi *m, size_t count);

/* Makes a connection one that libcurl finds closed when it next looks for one. libcurl takes it for alive as
 * long as it has unread input, so that is thrown away; after the shutdown no more comes. */
void multi_end_connection(watcher *w);

/* The local port of a socket; 0: it has none. */
int multi_port_of(watcher *w);

/* The one socket with that local port. Connections to different peers may share a port: then NULL. */
watcher *multi_only_socket(const multi *m, int local_port);

#endif
