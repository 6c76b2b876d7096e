#include "core/buffer.h"

#include <stdlib.h>
#include <string.h>

bool buffer_reserve(buffer *b, size_t more)
{
  if (b->capacity - b->length >= more) return true;
  if (more > (size_t)-1 / 2 - b->length) return false;
  size_t wanted = b->length + more, capacity = b->capacity ? b->capacity : 64;
  while (capacity < wanted) capacity *= 2;
  char *bytes = realloc(b->bytes, capacity);
  if (!bytes) return false;
  b->bytes = bytes;
  b->capacity = capacity;
  return true;
}

bool buffer_append(buffer *b, const void *bytes, size_t length)
{
  if (!buffer_reserve(b, length)) return false;
  if (length) memcpy(b->bytes + b->length, bytes, length);
  b->length += length;
  return true;
}

void buffer_free(buffer *b)
{
  free(b->bytes);
  *b = (buffer){0};
}
