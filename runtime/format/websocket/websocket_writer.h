/* Frames of a WebSocket client: masked, one for each message. */
#ifndef LURCHER_FORMAT_WEBSOCKET_WRITER_H
#define LURCHER_FORMAT_WEBSOCKET_WRITER_H

#include "core/buffer.h"

typedef enum {
  WEBSOCKET_CONTINUATION = 0,
  WEBSOCKET_TEXT = 1,
  WEBSOCKET_BINARY = 2,
  WEBSOCKET_CLOSE = 8,
  WEBSOCKET_PING = 9,
  WEBSOCKET_PONG = 10
} websocket_opcode;

enum { WEBSOCKET_MAX_CONTROL = 125, WEBSOCKET_MAX_REASON = 123 };

/* Appends a frame. False: out of memory, and nothing was appended. */
bool websocket_write(buffer *out, websocket_opcode opcode, bool compressed, const char *bytes, size_t length);

/* The same for a close frame; code 0: it says nothing. `length` is at most WEBSOCKET_MAX_REASON. */
bool websocket_write_close(buffer *out, unsigned code, const char *reason, size_t length);

#endif
