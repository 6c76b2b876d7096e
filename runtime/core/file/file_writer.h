/* A file written piece by piece from a buffer: appending costs no trip to the thread pool, a job in the
 * background writes what has gathered. The job belongs to the writer, not to the task that happened to fill
 * the buffer, so that cancelling a task never loses what others wrote. */
#ifndef LURCHER_CORE_FILE_WRITER_H
#define LURCHER_CORE_FILE_WRITER_H

#include "core/file/file_target.h"
#include "core/file/sha256.h"
#include "core/loop/loop.h"

enum {
  FILE_WRITER_START = 64 * 1024,  /* bytes that start a write */
  FILE_WRITER_FULL = 1024 * 1024, /* bytes not yet written that make appending tasks wait */
};

typedef enum { FILE_WRITER_OPEN, FILE_WRITER_CLOSING, FILE_WRITER_CLOSED } file_writer_state;

typedef struct file_wait file_wait;

typedef struct {
  job job;
  loop *loop;
  unsigned references;
  file_target target;
  buffer filling, writing;
  uint64_t appended, written; /* bytes in all */
  uint64_t wanted;            /* bytes in all that a flush waits for: written even if they are few */
  size_t start, full;         /* at first FILE_WRITER_START and FILE_WRITER_FULL; its user may set them */
  sha256 *hash;               /* of what was written; NULL: none */
  uint64_t max_hashed;        /* longer files are not hashed */
  linked_list waits;          /* in the order they came */
  file_writer_state state;
  bool discard;  /* close without completing the file */
  bool orphaned; /* closed by a finalizer: no task waits, the loop may be gone */
  bool ok;
  error error; /* when not ok: all that follows fails as well */

  /* Its user's, or NULL: called when half of the room is free again, and after a failure. */
  void (*on_room)(void *user);
  void *user;

  struct { /* what the running job fills */
    bool finish, discard, ok;
    error error;
  } outgoing;
} file_writer;

/* A task that waits for its writer. */
struct file_wait {
  operation operation;
  file_writer *writer;
  uint64_t until; /* bytes written; UINT64_MAX: the file is closed */
  list_link link;
};

/* Takes the target over (it is all-zero afterwards); counts one reference. NULL: out of memory. */
file_writer *file_writer_new(file_target *target, loop *l);

/* For finalizers: drops the reference and, when it was not closed, what was not written yet. A temporary file
 * is removed. */
void file_writer_drop(file_writer *w);

/* Of a writer to which nothing was added yet: what is written is hashed while it is written, unless it is
 * more than `max` bytes. False: out of memory. */
bool file_writer_hash(file_writer *w, uint64_t max);

/* Adds to an open writer's buffer. False: out of memory (nothing added). */
bool file_writer_append(file_writer *w, const char *bytes, size_t length);

/* The buffer holds so much that an appending task should wait. */
static inline bool file_writer_full(const file_writer *w)
{
  return w->ok && w->appended - w->written > w->full;
}

/* What is not written yet is no more than half of what makes it full. */
static inline bool file_writer_roomy(const file_writer *w)
{
  return !w->ok || w->appended - w->written <= w->full / 2;
}

/* One user more, or less. The last one closes it; see file_writer_drop for finalizers. */
void file_writer_ref(file_writer *w);
void file_writer_unref(file_writer *w);

/* Has what was appended so far written, even if it is little. */
void file_writer_flush(file_writer *w);

/* Writes what has been appended, completes the file (or, with `discard`, removes what is not complete) and
 * closes it. Errors end up in w->error. */
void file_writer_close(file_writer *w, bool discard);

typedef enum { FILE_WAIT_ROOM, FILE_WAIT_FLUSHED, FILE_WAIT_CLOSED } file_wait_for;

/* A begun operation that completes when there is room, when all appended so far is written, or when the file
 * is closed; in any case after a failure. End it by file_wait_end. NULL: out of memory. */
file_wait *file_writer_wait(file_writer *w, file_wait_for what);

/* Frees a completed wait. True, or false with the writer's error in `e`. */
bool file_wait_end(file_wait *wait, error *e);

#endif
