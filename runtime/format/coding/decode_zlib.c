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
  size_t padding; /* zeros that came behind the end; only zeros may follow */
} zlib_state;

/* zlib's code for the container is in the window bits. */
enum { RAW = -MAX_WBITS, WRAPPED = MAX_WBITS, GZIP = MAX_WBITS + 16 };

static bool start_zlib(decode_stage *stage, int window)
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

static bool start_gzip(decode_stage *stage) { return start_zlib(stage, GZIP); }

static bool start_deflate(decode_stage *stage) { return start_zlib(stage, WRAPPED); }

static void release_zlib(decode_stage *stage)
{
  zlib_state *state = stage->state;
  inflateEnd(&state->stream);
  free(state);
}

/* As much as there is input and room for. */
static bool inflate_some(decode_stage *stage, decode_input *in, char *out, size_t room, size_t *written,
                         error *e)
{
  z_stream *stream = &((zlib_state *)stage->state)->stream;
  uInt given = in->length < UINT_MAX ? (uInt)in->length : UINT_MAX;
  stream->next_in = (Bytef *)in->bytes;
  stream->avail_in = given;
  stream->next_out = (Bytef *)out;
  stream->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
  int status = inflate(stream, Z_NO_FLUSH);
  if (status == Z_MEM_ERROR) return stage_out_of_memory(e);
  if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
    return stage_fail(stage, "is damaged", status == Z_DATA_ERROR ? stream->msg : NULL, e);
  stage->ended = status == Z_STREAM_END;
  stage_take(in, given - stream->avail_in);
  *written = (size_t)((char *)stream->next_out - out);
  return true;
}

/* What comes behind the end: zeros that fill a block, or for gzip one more member. */
static bool continue_behind(decode_stage *stage, decode_input *in, bool members, error *e)
{
  zlib_state *state = stage->state;
  if (members && !state->padding && *in->bytes == 0x1f) {
    if (inflateReset(&state->stream) != Z_OK) return stage_out_of_memory(e);
    stage->ended = false;
    return true;
  }
  for (; in->length > 0; stage_take(in, 1)) {
    if (*in->bytes != 0) return stage_fail(stage, "has something behind its end", NULL, e);
    if (++state->padding > DECODE_MAX_PADDING)
      return stage_fail(stage, "has too many zeros behind its end", NULL, e);
  }
  return true;
}

static bool read_member(decode_stage *stage, decode_input *in, bool members, char *out, size_t room,
                        size_t *written, error *e)
{
  if (stage->ended && in->length > 0 && !continue_behind(stage, in, members, e)) return false;
  return stage->ended || inflate_some(stage, in, out, room, written, e);
}

static bool read_gzip(decode_stage *stage, decode_input *in, char *out, size_t room, size_t *written,
                      error *e)
{
  return read_member(stage, in, true, out, room, written, e);
}

/* "deflate" is the zlib format, but many servers send the raw one; the first two bytes tell. False: the
 * second one is not there yet, or there is an error. */
static bool choose(decode_stage *stage, decode_input *in, error *e)
{
  zlib_state *state = stage->state;
  if (!state->has_first) {
    state->first = (unsigned char)*in->bytes;
    state->has_first = true;
    stage_take(in, 1);
    if (in->length == 0) return true;
  }
  unsigned char first = state->first, second = (unsigned char)*in->bytes;
  bool wrapped = (first & 15) == Z_DEFLATED && first >> 4 <= 7 && (first << 8 | second) % 31 == 0;
  if (!wrapped && inflateReset2(&state->stream, RAW) != Z_OK) return stage_out_of_memory(e);
  state->chosen = true;
  return true;
}

static bool read_deflate(decode_stage *stage, decode_input *in, char *out, size_t room, size_t *written,
                         error *e)
{
  zlib_state *state = stage->state;
  if (!state->chosen) {
    if (!choose(stage, in, e)) return false;
    if (!state->chosen) return true;
  }
  if (state->has_first) {
    decode_input one = {(char *)&state->first, 1}; /* gives nothing yet, but perhaps an error */
    state->has_first = false;
    if (!read_member(stage, &one, false, out, room, written, e)) return false;
  }
  return read_member(stage, in, false, out, room, written, e);
}

const decode_coding decode_gzip = {"gzip", start_gzip, read_gzip, release_zlib};
const decode_coding decode_deflate = {"deflate", start_deflate, read_deflate, release_zlib};
