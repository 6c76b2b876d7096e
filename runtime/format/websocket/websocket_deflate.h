/* permessage-deflate (RFC 7692): messages, compressed one by one. */
#ifndef LURCHER_FORMAT_WEBSOCKET_DEFLATE_H
#define LURCHER_FORMAT_WEBSOCKET_DEFLATE_H

#include "core/buffer.h"

/* What both sides agreed on. */
typedef struct {
  bool client_no_context, server_no_context; /* each message is compressed for itself */
  unsigned char client_bits, server_bits;    /* of the window: 8 to 15 */
} websocket_deflate_options;

/* One connection's, both ways. What zlib needs is allocated when it is first used. */
typedef struct websocket_deflate websocket_deflate;

typedef enum {
  WEBSOCKET_INFLATED,
  WEBSOCKET_NOT_DEFLATED, /* these are not compressed bytes */
  WEBSOCKET_INFLATED_TOO_LARGE,
  WEBSOCKET_NO_MEMORY
} websocket_inflated;

/* NULL: out of memory. */
websocket_deflate *websocket_deflate_new(const websocket_deflate_options *options);
void websocket_deflate_free(websocket_deflate *d);

/* Appends what these bytes of a message are decompressed; no more than `limit` bytes in `out`. `last`: the
 * message ends with them. */
websocket_inflated websocket_deflate_read(websocket_deflate *d, const char *bytes, size_t length, bool last,
                                          size_t limit, buffer *out);

/* zlib cannot write for windows of 256 bytes: then messages go out as they are. */
bool websocket_deflate_can_write(const websocket_deflate *d);

/* Appends a compressed message. False: out of memory. */
bool websocket_deflate_write(websocket_deflate *d, const char *bytes, size_t length, buffer *out);

#endif
