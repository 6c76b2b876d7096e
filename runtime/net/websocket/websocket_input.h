/* What a WebSocket receives: bytes become messages in its queue, pongs to send, and the end. */
#ifndef LURCHER_NET_WEBSOCKET_INPUT_H
#define LURCHER_NET_WEBSOCKET_INPUT_H

#include "net/websocket/websocket.h"

/* Whether frames are taken: not while messages that nobody takes fill the queue. */
bool websocket_is_reading(const websocket *w);

/* Whether bytes are to be read, be it for the handshake. */
bool websocket_wants_bytes(const websocket *w);

/* Reads and parses what is there, but not for ever. May end the connection. */
void websocket_read_all(websocket *w);

#endif
