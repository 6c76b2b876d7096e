/* How a WebSocket ends, by which of its parts ever. */
#ifndef LURCHER_NET_WEBSOCKET_END_H
#define LURCHER_NET_WEBSOCKET_END_H

#include "net/websocket/websocket.h"

/* The first failure stays. */
void websocket_set_failure(websocket *w, const error *why);

/* All operations complete. */
void websocket_wake_all(websocket *w);

/* It is over, well or not: all that is waited for completes. Messages that came before are still there to be
 * taken. */
void websocket_end(websocket *w);
void websocket_fail(websocket *w, const error *why);
void websocket_fail_memory(websocket *w);

/* Counts what it holds in memory now. False: the runtime's limit leaves no more. */
bool websocket_note_memory(websocket *w);

#endif
