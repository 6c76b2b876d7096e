/* The head of the answer to a WebSocket's upgrade request, out of bytes that come as they like. */
#ifndef LURCHER_NET_WEBSOCKET_HANDSHAKE_H
#define LURCHER_NET_WEBSOCKET_HANDSHAKE_H

#include "core/byte_queue.h"
#include "format/http/head.h"

typedef struct {
  head head;
  size_t searched; /* bytes of the input in which no line ends */
} websocket_handshake;

typedef enum { HANDSHAKE_MORE, HANDSHAKE_COMPLETE, HANDSHAKE_BROKEN } handshake_state;

/* NULL: out of memory. `max_headers`: bytes of all lines; SIZE_MAX: no limit. */
websocket_handshake *websocket_handshake_new(size_t max_headers);
void websocket_handshake_free(websocket_handshake *h);

/* Takes lines from the input until the head is complete; what is behind it stays. */
handshake_state websocket_handshake_look(websocket_handshake *h, byte_queue *input, error *e);

#endif
