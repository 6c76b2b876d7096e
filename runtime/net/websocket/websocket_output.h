/* What a WebSocket sends: frames are queued, and written as far as the other side takes them. */
#ifndef LURCHER_NET_WEBSOCKET_OUTPUT_H
#define LURCHER_NET_WEBSOCKET_OUTPUT_H

#include "net/websocket/websocket.h"

/* Whether as much as that may wait. */
bool websocket_has_room(const websocket *w);

/* False: out of memory, and nothing was queued. */
bool websocket_queue_frame(websocket *w, websocket_opcode opcode, bool compressed, const char *bytes,
                           size_t length);

/* The answer to the newest ping, unless so much waits that it would only add to it. */
void websocket_queue_pong(websocket *w);

/* Lets the next that waits to send try again, if there is room. */
void websocket_next_turn(websocket *w);

/* Writes what is queued, as far as the other side takes it. A failure to write ends nothing: what the other
 * side said before may still be there to be read. */
void websocket_flush(websocket *w);

/* Queues a close frame, unless one was sent; code 0: it says nothing. */
void websocket_start_closing(websocket *w, unsigned code, const char *reason, size_t length);

#endif
