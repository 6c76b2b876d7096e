#include "format/coding/decode_stage.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { WINDOW_LOG_LIMIT = 27 }; /* 128 MiB, of which only what is written is ever touched */

typedef struct {
  ZSTD_DCtx *context;
  bool inside; /* of a frame */
} zstd_state;

static bool start_zstd(decode_stage *stage)
{
  zstd_state *state = calloc(1, sizeof *state);
  if (!state || !(state->context = ZSTD_createDCtx())) {
    free(state);
    return false;
  }
  ZSTD_DCtx_setParameter(state->context, ZSTD_d_windowLogMax, WINDOW_LOG_LIMIT);
  stage->state = state;
  return true;
}

static void release_zstd(decode_stage *stage)
{
  zstd_state *state = stage->state;
  ZSTD_freeDCtx(state->context);
  free(state);
}

/* Frames of today's format and skippable ones. The library also decodes what it wrote before version 0.8, by
 * old code that nobody but an attacker would send us to. */
static bool begins_frame(char first) { return first == 0x28 || (first & 0xf0) == 0x50; }

static bool fail_zstd(const decode_stage *stage, size_t status, error *e)
{
  switch (ZSTD_getErrorCode(status)) {
  case ZSTD_error_memory_allocation:
    return stage_out_of_memory(e);
  case ZSTD_error_frameParameter_windowTooLarge:
    return stage_fail(stage, "asks for too large a window", NULL, e);
  case ZSTD_error_prefix_unknown:
    return stage_fail(stage, "is not zstd data", NULL, e);
  default:
    return stage_fail(stage, "is damaged", ZSTD_getErrorName(status), e);
  }
}

/* Several frames in a row are one body. */
static bool read_zstd(decode_stage *stage, decode_input *in, char *out, size_t room, size_t *written,
                      error *e)
{
  zstd_state *state = stage->state;
  if (!state->inside && in->length == 0) return true; /* the library would begin another frame */
  if (!state->inside && !begins_frame(*in->bytes))
    return stage_fail(stage, stage->ended ? "has something behind its end" : "is not zstd data", NULL, e);
  ZSTD_inBuffer from = {.src = in->bytes, .size = in->length};
  ZSTD_outBuffer to = {.dst = out, .size = room};
  size_t status = ZSTD_decompressStream(state->context, &to, &from);
  if (ZSTD_isError(status)) return fail_zstd(stage, status, e);
  stage->ended = status == 0;
  state->inside = !stage->ended;
  stage_take(in, from.pos);
  *written = to.pos;
  return true;
}

const decode_coding decode_zstd = {"zstd", start_zstd, read_zstd, release_zstd};
