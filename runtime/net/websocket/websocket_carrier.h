/* The bytes below a WebSocket: a connection that libcurl made, TLS and proxies included, and that we read and
 * write ourselves from then on. */
#ifndef LURCHER_NET_WEBSOCKET_CARRIER_H
#define LURCHER_NET_WEBSOCKET_CARRIER_H

#include "net/transfer/transfer.h"

typedef struct websocket_carrier websocket_carrier;

struct websocket_carrier {
  transfer_rider rider;
  transfer *transfer; /* owned; NULL: closed */
  watcher *watcher;
  int socket;
  bool direct; /* nothing but TCP: no call of libcurl is needed, which would search its connections each time
                */
  bool detached;   /* nor does it hold the connection */
  bool read_again; /* more may be there though the socket does not tell */
  bool may_read;   /* for on_ready: there may be something to read */
  deferred look;
  void (*on_ready)(websocket_carrier *c);                    /* try to read and to write */
  void (*on_lost)(websocket_carrier *c, const error *cause); /* its pool ended it; `cause` may be NULL */
};

/* Takes over a transfer with request.connect_only that is connected, and owns it even when that fails. False:
 * there is no connection any more. */
bool websocket_carrier_open(websocket_carrier *c, transfer *t);

/* What `on_ready` is to be called for. */
void websocket_carrier_watch(websocket_carrier *c, bool reading, bool writing);

/* Calls `on_ready` after this batch. The other one: because there is something to write, which spares a read
 * in vain. */
void websocket_carrier_look(websocket_carrier *c);
void websocket_carrier_look_to_write(websocket_carrier *c);

typedef enum { CARRIER_MOVED, CARRIER_BLOCKED, CARRIER_ENDED, CARRIER_FAILED } carrier_result;

/* Reads what is there, at most `room` bytes. CARRIER_FAILED: `e` tells why. */
carrier_result websocket_carrier_read(websocket_carrier *c, char *to, size_t room, size_t *length, error *e);

/* Writes some of it. */
carrier_result websocket_carrier_write(websocket_carrier *c, const char *bytes, size_t length,
                                       size_t *written, error *e);

/* Closes the connection; the other side gets what was written. */
void websocket_carrier_close(websocket_carrier *c);

#endif
