/* The body of a request: a sequence of parts (bytes, files, what a task produces), read from front to back,
 * and again from the start where that is possible. Never waits: who reads is called when there is more. */
#ifndef LURCHER_NET_TRANSFER_UPLOAD_H
#define LURCHER_NET_TRANSFER_UPLOAD_H

#include "core/byte_queue.h"
#include "core/file/file_source.h"

typedef struct upload_part upload_part;

typedef struct {
  unsigned references;
  loop *loop;
  upload_part *parts;
  size_t count, current; /* the part that is read */
  size_t taken;          /* of its bytes */
  size_t looked;         /* parts that upload_prepare is done with */
  int64_t length;        /* bytes; -1: only known at the end; of files, as they were looked at last */
  uint64_t given;        /* bytes given out since its start */
  bool failed;
  bool has_first; /* its first file is open */
  bool exact;     /* files have to be what they were when they were added: their bytes are signed */
  bool is_used;   /* bytes of a producer were given out */
  bool is_hungry; /* its reader waits for a producer */
  bool closed;    /* nobody reads it any more */
  byte_queue produced;
  size_t own, held; /* bytes of parts; with what was produced, as the loop's account has it */
  operation room;   /* the producing task waits for the reader */
  deferred more;
  error failure; /* when it failed */
  void (*on_more)(void *user);
  void *user;
} upload;

typedef enum { UPLOAD_BYTES, UPLOAD_LATER, UPLOAD_END, UPLOAD_FAILED } upload_state;

/* An empty body; counts one reference. NULL: out of memory. */
upload *upload_new(loop *l);

/* A body that borrows its bytes until the end, or until upload_keep. NULL: out of memory. */
upload *upload_of_bytes(const char *bytes, size_t length, loop *l);

/* Copies bytes that are only borrowed. False: out of memory. */
bool upload_keep(upload *u);

void upload_ref(upload *u);
void upload_unref(upload *u);

/* ---- its parts, all added before it is read. False: out of memory ---- */

bool upload_add_bytes(upload *u, const char *bytes, size_t length); /* copies them */
bool upload_add_file(upload *u, file_range *range);                 /* see file_source_new */
bool upload_add_producer(upload *u);

/* ---- its reader ---- */

/* `on_more` is called, from the loop, when there is more after UPLOAD_LATER. */
void upload_begin(upload *u, void (*on_more)(void *user), void *user);

/* After upload_begin, and before `length` counts: looks at plain files as they are now, and opens the first,
 * so that it is there when the request is. UPLOAD_END: done; UPLOAD_LATER: to be called again by `on_more`.
 */
upload_state upload_prepare(upload *u);

/* Whether it failed since there was no descriptor for a file: it can be prepared again. */
bool upload_is_starved(const upload *u);

/* The request goes back to the queue, and will be prepared anew: gives back descriptors of plain files. */
void upload_rest(upload *u);

/* Copies up to `room` bytes. May be called by libcurl's callbacks. */
upload_state upload_read(upload *u, char *to, size_t room, size_t *got);

/* Whether all of it was given out. */
bool upload_ended(const upload *u);

/* Whether it can be read from its start. */
bool upload_can_rewind(const upload *u);

/* Goes back to its start. False, and nothing changes, when that is not possible: a producer has begun, a pipe
 * was read. */
bool upload_rewind(upload *u);

/* Nobody will read it any more: files are closed, and the producer is told. */
void upload_close(upload *u);

/* ---- the producer ---- */

/* Begins the operation `room`: it completes when the reader waits for more, or is gone (`closed`). */
void upload_await_reader(upload *u, const operation_class *class);

/* Whether a reader waits, and what was put is less than it is worth while to send. */
bool upload_wants(const upload *u);

/* Appends a copy. False: out of memory. */
bool upload_put(upload *u, const char *bytes, size_t length);

/* The producer whose turn it is has put all. */
void upload_put_end(upload *u);

/* The body cannot go on. */
void upload_fail(upload *u, const error *why);

#endif
