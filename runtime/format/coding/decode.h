/* Content decoding (gzip, deflate, br, zstd, several in turn), pulled: the caller says how many decoded bytes
 * it has room for, so that a little input that becomes much is taken as slowly as the caller likes, and each
 * call does a bounded amount of work. What stays hidden from the caller (bytes between two codings, zeros
 * behind an end) is bounded, too. */
#ifndef LURCHER_FORMAT_CODING_DECODE_H
#define LURCHER_FORMAT_CODING_DECODE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
  DECODE_CODINGS_LIMIT = 5, /* most codings in turn */

  /* Zeros behind gzip's end, which fill a block of a tape. */
  DECODE_MAX_PADDING = 1024 * 1024,

  /* What one coding gives another is coded itself: hardly more than what the last one gives the caller. It
   * may be so much more, and this share. */
  DECODE_MAX_HIDDEN = 64 * 1024 * 1024,
  DECODE_HIDDEN_SHARE = 16,
};

typedef struct decoder decoder;

/* Encoded bytes that were not taken yet. */
typedef struct {
  const char *bytes;
  size_t length;
} decode_input;

typedef enum {
  DECODE_GIVEN,   /* at least one decoded byte; there may be more */
  DECODE_STARVED, /* all input is taken, and gives no more */
  DECODE_BUSY,    /* much work, and nothing for the caller yet: let others have their turn, then call again */
  DECODE_FAILED,
} decode_result;

/* Makes a decoder for the value of a Content-Encoding header (several headers: joined by commas), owned by
 * the caller. *d is NULL when nothing needs decoding (no coding but "identity"). False with kind decode: an
 * unknown coding, or too many. */
bool decoder_create(decoder **d, const char *content_encoding, size_t length, error *e);

/* Decodes from `in`, which is advanced, into `out`: at most `room` (at least 1) bytes, `*written` in all.
 * DECODE_FAILED: kind decode (bad data, something behind its end, too much that decodes to nothing) or limit
 * (out of memory); then only decoder_free may follow. */
decode_result decoder_read(decoder *d, decode_input *in, char *out, size_t room, size_t *written, error *e);

/* The body is over, and decoder_read has said DECODE_STARVED. False with kind truncated when the coded data
 * is not over; a body of no bytes at all is fine. */
bool decoder_finish(decoder *d, error *e);

/* NULL is fine. */
void decoder_free(decoder *d);

#endif
