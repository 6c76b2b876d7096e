/* Decodes anything by any coding, whole, and cut in two with another room: both must give the same. */
#include "core/buffer.h"
#include "format/coding/decode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CAP = 1 << 20 };

static bool decode_piece(decoder *d, const char *bytes, size_t length, size_t room, buffer *out, error *e)
{
  decode_input in = {bytes, length};
  char piece[4096];
  decode_result result;
  do {
    size_t got;
    result = decoder_read(d, &in, piece, room, &got, e);
    if (got > room || (result == DECODE_GIVEN) != (got > 0) || (result == DECODE_STARVED && in.length > 0))
      abort();
    if (!buffer_append(out, piece, got)) abort();
    if (out->length > CAP) {
      error_set(e, ERROR_too_large, NULL, "enough");
      return false;
    }
  } while (result == DECODE_GIVEN || result == DECODE_BUSY);
  return result == DECODE_STARVED;
}

static bool decode(const char *encoding, const char *bytes, size_t length, size_t cut, size_t room,
                   buffer *out)
{
  decoder *d;
  error e;
  if (!decoder_create(&d, encoding, strlen(encoding), &e)) abort();
  bool well = decode_piece(d, bytes, cut, room, out, &e) &&
              decode_piece(d, bytes + cut, length - cut, room, out, &e) && decoder_finish(d, &e);
  decoder_free(d);
  if (!well && e.kind != ERROR_decode && e.kind != ERROR_truncated && e.kind != ERROR_too_large) abort();
  return well;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const encodings[] = {"gzip",       "deflate",     "br",        "zstd",
                                          "gzip, gzip", "deflate, br", "zstd, gzip"};
  if (size < 2) return 0;
  const char *encoding = encodings[data[0] % (sizeof encodings / sizeof *encodings)];
  size_t length = size - 2, cut = length ? data[1] % (length + 1) : 0;
  buffer whole = {0}, parts = {0};
  bool well = decode(encoding, (const char *)data + 2, length, 0, 4096, &whole);
  bool well_cut = decode(encoding, (const char *)data + 2, length, cut, 1 + data[1] * 16, &parts);
  if (well != well_cut) abort();
  if (well &&
      (whole.length != parts.length || (whole.length && memcmp(whole.bytes, parts.bytes, whole.length) != 0)))
    abort();
  buffer_free(&whole);
  buffer_free(&parts);
  return 0;
}
