/* Decodes anything by any coding, whole and cut in two: both must give the same. */
#include "core/buffer.h"
#include "format/coding/decode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CAP = 1 << 20 };

static bool gather(void *user, const char *bytes, size_t length, error *e)
{
  buffer *b = user;
  if (length == 0 || length > DECODE_PIECE) abort();
  if (b->length < CAP) return buffer_append(b, bytes, length);
  error_set(e, ERROR_too_large, NULL, "enough");
  return false;
}

static bool decode(const char *encoding, const char *bytes, size_t length, size_t cut, buffer *out)
{
  decoder *d;
  error e;
  if (!decoder_create(&d, encoding, strlen(encoding), gather, out, &e)) abort();
  bool well = decoder_write(d, bytes, cut, &e) && decoder_write(d, bytes + cut, length - cut, &e) &&
              decoder_finish(d, &e);
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
  bool well = decode(encoding, (const char *)data + 2, length, 0, &whole);
  bool well_cut = decode(encoding, (const char *)data + 2, length, cut, &parts);
  if (well != well_cut) abort();
  if (well &&
      (whole.length != parts.length || (whole.length && memcmp(whole.bytes, parts.bytes, whole.length) != 0)))
    abort();
  buffer_free(&whole);
  buffer_free(&parts);
  return 0;
}
