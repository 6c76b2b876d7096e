/* A growable run of bytes. */
#ifndef LURCHER_CORE_BUFFER_H
#define LURCHER_CORE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  char *bytes; /* NULL until something was appended */
  size_t length;
  size_t capacity;
} buffer;

/* All-zero is an empty buffer; nothing need be called before the first append. */

/* Makes room for `more` bytes behind the present ones. False when memory ran out (nothing changed). */
bool buffer_reserve(buffer *b, size_t more);

/* Appends a copy of `length` bytes. False when memory ran out (nothing changed). */
bool buffer_append(buffer *b, const void *bytes, size_t length);

/* Frees the bytes; the buffer is empty and can be used again. */
void buffer_free(buffer *b);

#endif
