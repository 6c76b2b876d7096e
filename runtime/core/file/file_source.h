/* The bytes of a file range, read ahead on the thread pool for somebody who takes them on the loop's thread
 * and must not wait: at most two pieces of it are in memory. */
#ifndef LURCHER_CORE_FILE_SOURCE_H
#define LURCHER_CORE_FILE_SOURCE_H

#include "core/file/file_range.h"
#include "core/loop/loop.h"

typedef struct file_source file_source;

typedef enum {
  FILE_SOURCE_BYTES,
  FILE_SOURCE_LATER, /* `on_more` is called when it is worth to ask again */
  FILE_SOURCE_END,
  FILE_SOURCE_FAILED, /* see file_source_failure; so is every later read */
} file_source_state;

/* Takes over what the range holds open. `on_more` is called from the loop. NULL: out of memory. */
file_source *file_source_new(file_range *range, loop *l, void (*on_more)(void *user), void *user);

/* Copies up to `room` bytes. The last ones of a file come only when it is found unchanged. */
file_source_state file_source_read(file_source *s, char *to, size_t room, size_t *got);

/* Kind "file". */
const error *file_source_failure(const file_source *s);

/* Whether it can be read from its start: not what can be read once only, and was. */
bool file_source_can_rewind(const file_source *s);

/* Goes back to the start, if it can. */
void file_source_rewind(file_source *s);

/* Closes the file and frees it; `on_more` is not called any more. */
void file_source_free(file_source *s);

#endif
