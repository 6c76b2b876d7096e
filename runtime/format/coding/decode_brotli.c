#include "format/coding/decode_stage.h"

#include <brotli/decode.h>

static bool start_brotli(decode_stage *stage)
{
  /* large windows (up to 1 GiB) are off unless asked for: 16 MiB is the most */
  stage->state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
  return stage->state;
}

static void release_brotli(decode_stage *stage) { BrotliDecoderDestroyInstance(stage->state); }

static bool fail_brotli(const decode_stage *stage, error *e)
{
  BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(stage->state);
  bool memory =
      code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES && code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
  return memory ? stage_out_of_memory(e) : stage_fail(stage, "is damaged", BrotliDecoderErrorString(code), e);
}

static bool read_brotli(decode_stage *stage, decode_input *in, char *out, size_t room, size_t *written,
                        error *e)
{
  const uint8_t *next = (const uint8_t *)in->bytes;
  uint8_t *to = (uint8_t *)out;
  size_t left = in->length, free_room = room;
  if (!stage->ended) {
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(stage->state, &left, &next, &free_room, &to, NULL);
    if (result == BROTLI_DECODER_RESULT_ERROR) return fail_brotli(stage, e);
    stage->ended = result == BROTLI_DECODER_RESULT_SUCCESS;
    stage_take(in, in->length - left);
    *written = room - free_room;
  }
  return !stage->ended || in->length == 0 || *written > 0 ||
         stage_fail(stage, "has something behind its end", NULL, e);
}

const decode_coding decode_brotli = {"br", start_brotli, read_brotli, release_brotli};
