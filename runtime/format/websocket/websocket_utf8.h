/* UTF-8 that comes in pieces, which may end within a character. */
#ifndef LURCHER_FORMAT_WEBSOCKET_UTF8_H
#define LURCHER_FORMAT_WEBSOCKET_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* All-zero at the start of a text. */
typedef struct {
  unsigned char missing;   /* bytes that the last character still needs */
  unsigned char low, high; /* of the next one */
} websocket_utf8;

/* False as soon as no continuation could make it UTF-8. */
bool websocket_utf8_check(websocket_utf8 *u, const char *bytes, size_t length);

/* Whether the text may end here. */
static inline bool websocket_utf8_is_whole(const websocket_utf8 *u) { return !u->missing; }

#endif
