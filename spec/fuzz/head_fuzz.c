/* Feeds anything line by line; a block that was accepted must be clean and be found again. */
#include "format/http/head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
  if (!holds) abort();
}

static void check_block(const head *h)
{
  size_t offset = 0, next, lines = 0, found_length, name_length, length;
  const char *name, *value, *found, *block = h->block.bytes;
  for (size_t i = 0; i < h->block.length; i++) {
    lines += block[i] == '\n';
    require(block[i] != 0 && (block[i] != '\r' || block[i + 1] == '\n') &&
            (block[i] != '\n' || block[i - 1] == '\r'));
  }
  while ((next = head_next(block, h->block.length, offset, &name, &name_length, &value, &length))) {
    require(head_valid_name(name, name_length));
    require(head_find(block, h->block.length, name, name_length, &found, &found_length) && found <= value);
    offset = next;
    lines--;
  }
  require(lines == 0 && offset == h->block.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0) return 0;
  head h;
  error e;
  head_init(&h, data[0] & 1 ? 4096 : SIZE_MAX);
  h.http2_allowed = data[0] & 2;
  h.upgrade_allowed = data[0] & 4;
  const char *at = (const char *)data + 1, *end = (const char *)data + size;
  bool well = true;
  while (well && at < end) {
    const char *next = memchr(at, '\n', (size_t)(end - at));
    next = next ? next + 1 : end;
    well = head_line(&h, at, (size_t)(next - at), &e);
    at = next;
  }
  if (well) check_block(&h);
  if (h.complete) require(h.status >= 100 && h.status <= 999 && h.content_length >= -1);
  head_free(&h);
  return 0;
}
