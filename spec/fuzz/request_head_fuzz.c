/* Feeds anything as a request's head; what is accepted must lie within the bytes and be clean. */
#include "net/request_head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
  if (!holds) abort();
}

static void check_view(text_view v, const char *bytes, size_t length)
{
  require(v.length > 0 && v.bytes >= bytes && v.bytes + v.length <= bytes + length);
  for (size_t i = 0; i < v.length; i++) require((unsigned char)v.bytes[i] > 0x20 && v.bytes[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *copy = malloc(size ? size : 1); /* of its own, so that reading on is noticed */
  require(copy != NULL);
  memcpy(copy, data, size);
  request_head head;
  int status = request_head_parse(&head, copy, size);
  require(status == 0 || (status >= 400 && status < 600));
  require((status != 0) == (head.fault != NULL));
  if (!status) {
    check_view(head.method, copy, size);
    check_view(head.target, copy, size);
    require(head.version.length == 3 && head.content_length >= -1);
    require(!head.chunked || head.content_length < 0);
  }
  free(copy);
  return 0;
}
