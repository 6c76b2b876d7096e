/* Decodes anything: the first line is a label, the rest a text. What comes out must be UTF-8, and the same in
 * steps as in one go. */
#include "core/utf8.h"
#include "format/charset/charset.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
  if (!holds) abort();
}

static void check_utf8(buffer *out)
{
  require(buffer_append(out, "", 1));
  for (const char *at = out->bytes, *end = at + out->length - 1; at < end;) {
    size_t length = (unsigned char)*at < 0x80 ? 1 : utf8_length(at);
    require(length > 0);
    at += length;
  }
  out->length--;
}

/* `text` is followed by a NUL. */
static charset_progress decode(const charset *set, const char *text, size_t length, size_t step, buffer *out)
{
  charset_decoder d;
  charset_progress progress = CHARSET_MORE;
  if (!charset_decoder_init(&d, set)) return CHARSET_BAD;
  for (size_t steps = 0; progress == CHARSET_MORE; steps++) {
    require(steps <= length + 2);
    progress = charset_decode(&d, text, length, step);
    require(d.taken <= length);
  }
  *out = d.out;
  d.out = (buffer){0};
  charset_decoder_deinit(&d);
  return progress;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const uint8_t *line_end = memchr(data, '\n', size);
  if (!line_end) return 0;
  const charset *set = charset_find((const char *)data, (size_t)(line_end - data));
  if (!set) return 0;
  size_t length = size - (size_t)(line_end + 1 - data);
  char *text = malloc(length + 1);
  memcpy(text, line_end + 1, length);
  text[length] = 0;
  buffer whole = {0}, stepwise = {0};
  charset_progress result = decode(set, text, length, length + 1, &whole);
  require(result == decode(set, text, length, 16, &stepwise));
  check_utf8(&whole);
  if (result == CHARSET_DONE) {
    require(whole.length == stepwise.length);
    require(whole.length == 0 || memcmp(whole.bytes, stepwise.bytes, whole.length) == 0);
  }
  buffer_free(&whole);
  buffer_free(&stepwise);
  free(text);
  return 0;
}
