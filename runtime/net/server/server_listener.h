/* A listening socket, TCP or Unix. */
#ifndef LURCHER_NET_LISTENER_H
#define LURCHER_NET_LISTENER_H

#include "core/error.h"
#include "net/server/socket_group.h"
#include "net/server/tls_server.h"

enum { LISTENER_QUEUE = 128 };

typedef struct {
  uv_poll_t poll;
  socket_member member;
  socket_group *group;
  local_server local;
  tls_server *tls; /* of its connections, or NULL */
  int socket;      /* -1 once closed */
  int port;        /* the real one; 0 for a Unix socket */
  bool armed;
  unsigned references;
  operation accepting;
  timer pause; /* while the process has no descriptor left */
  char *path;  /* of a Unix socket, removed at the end */
  size_t first, count;
  int queue[LISTENER_QUEUE]; /* accepted sockets that server_listener_take has not given out yet */
} server_listener;

/* Listens on `host` (an address, not a name) and `port` (0: any free one), or, if `path` is not NULL, on a
 * Unix socket there. `tls` may be NULL; a reference is taken. Returns one reference to the listener, or NULL
 * and the error (kind "connect"). */
server_listener *server_listener_new(socket_group *g, const char *host, int port, const char *path,
                                     tls_server *tls, error *e);
void server_listener_release(server_listener *l);

/* A connected socket, now the caller's, or -1: none yet, or closed (`socket` is -1). */
int server_listener_take(server_listener *l);

/* Waits until server_listener_take has one or the listener is closed. Only one at a time. */
operation *server_listener_wait(server_listener *l);

/* After a completed operation: puts it out of use. */
void server_listener_done(server_listener *l, operation *op);

/* Stops listening; connections not taken yet are reset. */
void server_listener_close(server_listener *l);

#endif
