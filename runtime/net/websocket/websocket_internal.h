/* What the parts of a WebSocket have in common: websocket.c (clocks, events, its user), websocket_input.c and
 * websocket_output.c. */
#ifndef LURCHER_NET_WEBSOCKET_INTERNAL_H
#define LURCHER_NET_WEBSOCKET_INTERNAL_H

#include "net/websocket/websocket.h"

enum {
  WEBSOCKET_QUEUE_LIMIT = 64 * 1024,  /* messages that nobody takes hold the other side back */
  WEBSOCKET_OUTPUT_LIMIT = 64 * 1024, /* what it does not read holds senders back */
  WEBSOCKET_NO_PONG = 255
};

/* For the other side's close frame. */
static const uint64_t WEBSOCKET_CLOSE_LIMIT = 3000 * MILLISECOND;

static inline uint64_t websocket_now(const websocket *w) { return clock_now(w->time); }

#endif
