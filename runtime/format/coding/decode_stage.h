/* One coding of a decoder's chain. Private to the decode files. */
#ifndef LURCHER_FORMAT_CODING_DECODE_STAGE_H
#define LURCHER_FORMAT_CODING_DECODE_STAGE_H

#include "format/coding/decode.h"

enum { DECODE_PIECE = 16 * 1024 /* bytes between two codings at a time */ };

typedef struct decode_stage decode_stage;

typedef struct {
  const char *name; /* as in messages */

  /* Prepares `state`. False: out of memory (and nothing to release). */
  bool (*start)(decode_stage *stage);

  /* Decodes from `in` into `out` until `room` is full or all input is taken; may stop earlier if it took or
   * gave something. */
  bool (*read)(decode_stage *stage, decode_input *in, char *out, size_t room, size_t *written, error *e);

  void (*release)(decode_stage *stage);
} decode_coding;

struct decode_stage {
  const decode_coding *coding;
  void *state;
  bool ended; /* the coded data may end here */
  bool full;  /* it filled all the room it had: more may come without input */

  /* What the coding before has given: `piece` is its memory (not of the first one). */
  decode_input input;
  char *piece;
};

extern const decode_coding decode_gzip, decode_deflate, decode_brotli, decode_zstd;

/* Sets kind decode with the coding's name, `what`, and unless it is NULL the library's own words; returns
 * false. */
bool stage_fail(const decode_stage *stage, const char *what, const char *detail, error *e);

/* Sets the error for memory that ran out, and returns false. */
bool stage_out_of_memory(error *e);

/* `count` bytes of the input are taken. */
void stage_take(decode_input *in, size_t count);

#endif
