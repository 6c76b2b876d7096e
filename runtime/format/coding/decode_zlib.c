/* gzip and deflate. */
#include "format/coding/decode_stage.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct {
  z_stream stream;
  bool chosen;         /* deflate: it is known whether it is wrapped */
  unsigned char first; /* deflate: the first byte, while the second is awaited */
  bool has_first;
  bool padding; /* zeros came behind the end; only zeros may follow */
} zlib_state;

/* zlib's code for the container is in the window bits. */
enum { RAW = -MAX_WBITS, WRAPPED = MAX_WBITS, GZIP = MAX_WBITS + 16 };

static bool start(decode_stage *stage, int window)
{
  zlib_state *state = calloc(1, sizeof *state);
  if (!state) return false;
  if (inflateInit2(&state->stream, window) != Z_OK) {
    free(state);
    return false;
  }
  stage->state = state;
  return true;
}

static bool start_gzip(decode_stage *stage) { return start(stage, GZIP); }

static bool start_deflate(decode_stage *stage) { return start(stage, WRAPPED); }

static void release(decode_stage *stage)
{
  zlib_state *state = stage->state;
  inflateEnd(&state->stream);
  free(state);
}

/* Inflates until the input is used up or the stream ends. */
static bool inflate_all(decode_stage *stage, error *e)
{
  zlib_state *state = stage->state;
  z_stream *stream = &state->stream;
  char piece[DECODE_PIECE];
  for (;;) {
    stream->next_out = (Bytef *)piece;
    stream->avail_out = sizeof piece;
    int status = inflate(stream, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) return stage_out_of_memory(e);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      return stage_fail(stage, "is damaged", status == Z_DATA_ERROR ? stream->msg : NULL, e);
    if (!stage_emit(stage, piece, sizeof piece - stream->avail_out, e)) return false;
    if (status == Z_STREAM_END) {
      stage->ended = true;
      return true;
    }
    if (stream->avail_out > 0) return true; /* all input is used up */
  }
}

/* What comes behind the end: zeros that fill a block, or for gzip one more member. */
static bool continue_behind(decode_stage *stage, bool members, error *e)
{
  zlib_state *state = stage->state;
  z_stream *stream = &state->stream;
  if (members && !state->padding && *stream->next_in == 0x1f) {
    if (inflateReset(stream) != Z_OK) return stage_out_of_memory(e);
    stage->ended = false;
    return true;
  }
  for (; stream->avail_in > 0; stream->avail_in--, stream->next_in++) {
    if (*stream->next_in != 0) return stage_fail(stage, "has something behind its end", NULL, e);
  }
  state->padding = true;
  return true;
}

static bool write_some(decode_stage *stage, const char *bytes, size_t length, bool members, error *e)
{
  z_stream *stream = &((zlib_state *)stage->state)->stream;
  stream->next_in = (Bytef *)bytes;
  stream->avail_in = (uInt)length;
  while (stream->avail_in > 0) {
    if (stage->ended ? !continue_behind(stage, members, e) : !inflate_all(stage, e)) return false;
  }
  return true;
}

static bool write_all(decode_stage *stage, const char *bytes, size_t length, bool members, error *e)
{
  while (length > UINT_MAX) {
    if (!write_some(stage, bytes, UINT_MAX, members, e)) return false;
    bytes += UINT_MAX;
    length -= UINT_MAX;
  }
  return write_some(stage, bytes, length, members, e);
}

static bool write_gzip(decode_stage *stage, const char *bytes, size_t length, error *e)
{
  return write_all(stage, bytes, length, true, e);
}

/* "deflate" is the zlib format, but many servers send the raw one; the first two bytes tell. */
static bool write_deflate(decode_stage *stage, const char *bytes, size_t length, error *e)
{
  zlib_state *state = stage->state;
  if (state->chosen) return write_all(stage, bytes, length, false, e);
  if (!state->has_first && length == 1) {
    state->first = (unsigned char)*bytes;
    return state->has_first = true;
  }
  unsigned char first = state->has_first ? state->first : (unsigned char)bytes[0];
  unsigned char second = (unsigned char)bytes[state->has_first ? 0 : 1];
  bool wrapped = (first & 15) == Z_DEFLATED && first >> 4 <= 7 && (first << 8 | second) % 31 == 0;
  if (!wrapped && inflateReset2(&state->stream, RAW) != Z_OK) return stage_out_of_memory(e);
  state->chosen = true;
  if (state->has_first && !write_all(stage, (char *)&state->first, 1, false, e)) return false;
  return write_all(stage, bytes, length, false, e);
}

const decode_coding decode_gzip = {"gzip", start_gzip, write_gzip, release};
const decode_coding decode_deflate = {"deflate", start_deflate, write_deflate, release};
