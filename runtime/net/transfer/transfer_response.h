/* What a transfer was answered: its head, and the body as far as it came and was not taken yet. Bytes only:
 * nothing here knows libcurl or a socket. */
#ifndef LURCHER_NET_TRANSFER_RESPONSE_H
#define LURCHER_NET_TRANSFER_RESPONSE_H

#include "core/byte_queue.h"
#include "format/coding/decode.h"
#include "format/http/head.h"

typedef struct {
  /* Set before it begins. */
  size_t max_body; /* decoded bytes, unless it is a stream; SIZE_MAX: no cap */
  bool streaming;  /* the body is taken while it comes */
  bool decompress;
  bool to_head; /* it answers a HEAD request */

  head head;
  decoder *decoder; /* NULL: the body needs none */
  byte_queue raw;   /* streaming: received, not yet decoded */
  byte_queue body;  /* decoded; for a stream what was not taken yet */
  size_t wanted;    /* bytes of the body that its reader needs at once */
  uint64_t bytes_received;
} transfer_response;

/* It has no body, whatever its head says. */
bool transfer_response_has_no_body(const transfer_response *r);

/* Only the end of the connection ends its body. */
bool transfer_response_ends_with_connection(const transfer_response *r);

/* A stream has so much that its reader did not take that the peer has to be held back. */
bool transfer_response_is_full(const transfer_response *r);

/* The peer of a full stream may go on: little is left, or its reader cannot use what there is (a long line).
 */
bool transfer_response_needs_more(const transfer_response *r);

/* Takes bytes of the body as they came. False: too large, not decodable or out of memory. */
bool transfer_response_receive(transfer_response *r, const char *bytes, size_t length, error *e);

/* Decodes what a stream received until `wanted` bytes are there or nothing is left. False: not decodable. */
bool transfer_response_decode(transfer_response *r, size_t wanted, error *e);

/* All of a stream's body was decoded, or no more of it will be. False: its coded end was missing. */
bool transfer_response_end_decoding(transfer_response *r, error *e);

/* After a clean end of the exchange, the head being complete: whether the body is whole. */
bool transfer_response_is_whole(const transfer_response *r, error *e);

void transfer_response_free(transfer_response *r);

/* Empties it for the next response, but keeps the memory of head and body unless that is large. */
void transfer_response_reset(transfer_response *r);

#endif
