#include "format/coding/decode_stage.h"

#include <brotli/decode.h>

static bool start(decode_stage *stage)
{
  /* large windows (up to 1 GiB) are off unless asked for: 16 MiB is the most */
  stage->state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
  return stage->state;
}

static void release(decode_stage *stage) { BrotliDecoderDestroyInstance(stage->state); }

static bool write_all(decode_stage *stage, const char *bytes, size_t length, error *e)
{
  const uint8_t *in = (const uint8_t *)bytes;
  char piece[DECODE_PIECE];
  if (stage->ended) return stage_fail(stage, "has something behind its end", NULL, e);
  for (;;) {
    uint8_t *out = (uint8_t *)piece;
    size_t room = sizeof piece;
    BrotliDecoderResult result = BrotliDecoderDecompressStream(stage->state, &length, &in, &room, &out, NULL);
    if (result == BROTLI_DECODER_RESULT_ERROR) {
      BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(stage->state);
      bool memory = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                    code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
      return memory ? stage_out_of_memory(e)
                    : stage_fail(stage, "is damaged", BrotliDecoderErrorString(code), e);
    }
    if (!stage_emit(stage, piece, sizeof piece - room, e)) return false;
    if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) return true;
    if (result == BROTLI_DECODER_RESULT_SUCCESS) {
      stage->ended = true;
      return length == 0 || stage_fail(stage, "has something behind its end", NULL, e);
    }
  }
}

const decode_coding decode_brotli = {"br", start, write_all, release};
