/* What a transfer was answered: its head, and the body as far as it came and was not taken yet. Bytes only:
 * nothing here knows libcurl or a socket. */
#ifndef LURCHER_NET_TRANSFER_RESPONSE_H
#define LURCHER_NET_TRANSFER_RESPONSE_H

#include "core/byte_queue.h"
#include "format/coding/decode.h"
#include "format/http/head.h"
#include "net/transfer/transfer_tape.h"

/* Takes a body's bytes as they come, in place of memory. Embedded by what knows where they go. */
typedef struct body_sink body_sink;

struct body_sink {
  bool (*write)(body_sink *s, const char *bytes, size_t length, error *e); /* all of them, or it fails */
  bool (*is_full)(const body_sink *s);  /* the peer has to be held back … */
  bool (*has_room)(const body_sink *s); /* … and may go on */
  void (*release)(body_sink *s);        /* nothing will come any more */
};

typedef struct {
  /* Set before it begins. */
  size_t max_body; /* decoded bytes, unless it is a stream; SIZE_MAX: no cap */
  bool streaming;  /* the body is taken while it comes */
  bool decompress;
  bool to_head; /* it answers a HEAD request */

  bool held_comes : 1; /* what libcurl held back comes: see transfer_response_is_full */
  bool undecoded : 1;  /* decoding goes on without more input */
  uint32_t decoded;    /* bytes in the current turn; see transfer_response_is_tired */
  head head;
  decoder *decoder;    /* NULL: the body needs none */
  byte_queue raw;      /* received, not yet decoded */
  byte_queue body;     /* decoded; for a stream what was not taken yet */
  transfer_tape *tape; /* counted; gets a copy of what is decoded; NULL: nobody wants one */
  body_sink *sink;     /* what is decoded goes there; NULL: into `body` */
  size_t wanted;       /* bytes of the body that its reader needs at once */
  uint64_t bytes_received;
} transfer_response;

/* It has no body, whatever its head says. */
bool transfer_response_has_no_body(const transfer_response *r);

/* Only the end of the connection ends its body. */
bool transfer_response_ends_with_connection(const transfer_response *r);

/* So much is there that was not taken or, unless it is a stream, not decoded that the peer has to be held
 * back. Of a stream of HTTP/2 libcurl itself may hold 32 MiB, and moves all that is left of it whenever the
 * stream is held back again: so more of that is taken at once. */
bool transfer_response_is_full(const transfer_response *r);

/* A stream that has nothing to decode, and no sink: it may take so much more than when it is full. */
bool transfer_response_takes_more(const transfer_response *r, size_t more);

/* After that, the peer may go on: little is left, or the reader of a stream cannot use what there is (a long
 * line).
 */
bool transfer_response_needs_more(const transfer_response *r);

/* Takes bytes of the body as they came. False: too large, an unknown coding, or out of memory. */
bool transfer_response_receive(transfer_response *r, const char *bytes, size_t length, error *e);

/* Decodes what was received until `wanted` bytes are there, nothing is left, or it is tired; `undecoded`
 * tells whether there may be more. False: not decodable, or too large. */
bool transfer_response_decode(transfer_response *r, size_t wanted, error *e);

/* So much was decoded that others should have their turn. Then its user sets `decoded` to 0. */
bool transfer_response_is_tired(const transfer_response *r);

/* What is there of a body keeps to max_body. */
bool transfer_response_fits(const transfer_response *r, error *e);

/* What is there of the body, and what comes, goes to the sink, which is released with the response. False: it
 * does not take it. */
bool transfer_response_pour(transfer_response *r, body_sink *sink, error *e);

/* The sink takes nothing for now. */
bool transfer_response_waits_for_sink(const transfer_response *r);

/* All of the body was decoded, or no more of it will be. False: its coded end was missing. */
bool transfer_response_end_decoding(transfer_response *r, error *e);

/* After a clean end of the exchange, the head being complete: whether the body is whole as it came. */
bool transfer_response_is_whole(const transfer_response *r, error *e);

void transfer_response_free(transfer_response *r);

/* Empties it for the next response, but keeps the memory of head and body unless that is large. */
void transfer_response_reset(transfer_response *r);

#endif
