/* One coding of a decoder's chain. Private to the decode files. */
#ifndef LURCHER_NET_DECODE_STAGE_H
#define LURCHER_NET_DECODE_STAGE_H

#include "format/coding/decode.h"

typedef struct decode_stage decode_stage;

typedef struct {
  const char *name; /* as in messages */

  /* Prepares `state`. False: out of memory (and nothing to release). */
  bool (*start)(decode_stage *stage);

  /* Decodes all of the (at least one) bytes, giving what comes out to stage_emit. */
  bool (*write)(decode_stage *stage, const char *bytes, size_t length, error *e);

  void (*release)(decode_stage *stage);
} decode_coding;

struct decode_stage {
  const decode_coding *coding;
  decode_stage *next; /* NULL: the sink is next */
  decode_sink sink;
  void *user;
  void *state;
  bool ended; /* the coded data may end here */
};

extern const decode_coding decode_gzip, decode_deflate, decode_brotli, decode_zstd;

/* Hands decoded bytes (at most DECODE_PIECE, perhaps none) to the next stage or the sink. */
bool stage_emit(decode_stage *stage, const char *bytes, size_t length, error *e);

/* Sets kind decode with the coding's name, `what`, and unless it is NULL the library's own words; returns
 * false. */
bool stage_fail(const decode_stage *stage, const char *what, const char *detail, error *e);

/* Sets the error for memory that ran out, and returns false. */
bool stage_out_of_memory(error *e);

#endif
