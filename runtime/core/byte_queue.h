/* Bytes that are appended at the end and taken from the front. */
#ifndef LURCHER_CORE_BYTE_QUEUE_H
#define LURCHER_CORE_BYTE_QUEUE_H

#include "core/buffer.h"

typedef struct {
  buffer all; /* what is in the queue, behind `taken` bytes that are not any more */
  size_t taken;
} byte_queue;

/* All-zero is an empty queue. */

static inline size_t byte_queue_length(const byte_queue *q) { return q->all.length - q->taken; }

/* The first byte; valid until the next append. NULL while nothing was ever appended. */
static inline const char *byte_queue_front(const byte_queue *q)
{
  return q->all.bytes ? q->all.bytes + q->taken : NULL;
}

/* Appends a copy of `length` bytes. False when memory ran out (nothing changed). */
bool byte_queue_append(byte_queue *q, const void *bytes, size_t length);

/* Takes `length` bytes, no more than there are, off the front. */
void byte_queue_take(byte_queue *q, size_t length);

/* Frees the memory; the queue is empty and can be used again. */
void byte_queue_free(byte_queue *q);

#endif
