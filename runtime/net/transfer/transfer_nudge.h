/* The end of an HTTP/2 body of unknown length that libcurl 7.88 does not hear of.
 *
 * When a stream's buffer is full, libcurl stops nghttp2 in the middle of what it has read. When it stops at
 * the last byte of that, and this is the last byte of the body, nghttp2 would tell of the end in its next
 * call; but that comes only with further bytes of the peer, who has no more to say. So it is sent a PING
 * over the same connection, and the bytes of the answer bring the end. */
#ifndef LURCHER_NET_TRANSFER_NUDGE_H
#define LURCHER_NET_TRANSFER_NUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct transfer;

/* How long (nanoseconds) nothing comes until the peer is asked. */
extern const uint64_t NUDGE_AFTER;

/* Bytes of an HTTP/2 body came: notes whether they are the rest of more than the buffer could hold. Called by
 * libcurl's callbacks. */
void transfer_nudge_note(struct transfer *t, const char *bytes, size_t length);

/* Nothing came since bytes after which the end may be lost. */
bool transfer_nudge_is_due(const struct transfer *t);

/* Since when that is so, or the peer could not be asked. */
uint64_t transfer_nudge_since(const struct transfer *t);

/* Asks the peer, once until more comes; where it cannot now, it is due again. Not from within a libcurl
 * callback. */
void transfer_nudge(struct transfer *t);

#endif
