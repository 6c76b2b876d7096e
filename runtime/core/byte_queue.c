#include "core/byte_queue.h"

#include <string.h>

bool byte_queue_append(byte_queue *q, const void *bytes, size_t length)
{
  /* What is left is moved only when room is needed: a reader that keeps up empties the queue before that. */
  if (q->taken && q->all.capacity - q->all.length < length) {
    memmove(q->all.bytes, q->all.bytes + q->taken, byte_queue_length(q));
    q->all.length -= q->taken;
    q->taken = 0;
  }
  return buffer_append(&q->all, bytes, length);
}

void byte_queue_take(byte_queue *q, size_t length)
{
  q->taken += length;
  if (q->taken == q->all.length) q->taken = q->all.length = 0;
}

void byte_queue_free(byte_queue *q)
{
  buffer_free(&q->all);
  q->taken = 0;
}
