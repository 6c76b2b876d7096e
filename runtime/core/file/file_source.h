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

/* Takes over what the range holds open, and tells it what the file is found to be; it has to stay until the
 * source is prepared or freed. `on_more` is called from the loop. NULL: out of memory. */
file_source *file_source_new(file_range *range, loop *l, void (*on_more)(void *user), void *user);

/* Before the first byte is read, and before its length is told to anybody: looks at a plain file as it is now
 * (or, when it has to be `exact`, only whether it is what was looked at), and opens it if `opens`, so that it
 * has its descriptor. FILE_SOURCE_END: that is done. */
file_source_state file_source_prepare(file_source *s, bool exact, bool opens);

/* It is to be prepared anew: gives back the descriptor of a plain file, unless a job uses it. */
void file_source_rest(file_source *s);

/* Bytes; FILE_TO_THE_END: not known. */
uint64_t file_source_length(const file_source *s);

/* Whether it failed since there was no descriptor for it. */
bool file_source_is_starved(const file_source *s);

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
