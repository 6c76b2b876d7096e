/* A file read piece by piece, with bounded memory: one task at a time waits for more bytes (an operation);
 * what has come is taken without waiting, as bytes or as lines. */
#ifndef LURCHER_CORE_FILE_READER_H
#define LURCHER_CORE_FILE_READER_H

#include "core/file/file.h"
#include "core/loop/loop.h"

typedef struct {
  operation operation; /* pending while a task waits for bytes */
  job job;
  loop *loop;
  unsigned references;
  int fd;
  char *path;
  buffer bytes;
  size_t taken;   /* bytes before this were given out */
  size_t scanned; /* no line end between `taken` and here */
  size_t step;    /* bytes read at a time */
  bool closed, end, ok;
  error error; /* when not ok: every later read fails as well */
  struct {     /* what the running job fills: the room behind `bytes`, and how it went */
    buffer room;
    size_t got;
    bool later, ok;
    error error;
  } incoming;
} file_reader;

/* Takes `fd` over; counts one reference. NULL: out of memory (`fd` is left alone). */
file_reader *file_reader_new(int fd, const char *path, loop *l);

void file_reader_ref(file_reader *r);
void file_reader_unref(file_reader *r);

/* Closes the file; drops bytes read ahead; a waiting task resumes with an error. */
void file_reader_close(file_reader *r);

/* Begins r->operation: it completes when there are more bytes, at the end, or at a failure. False: another
 * task waits already. Holds a reference until file_reader_end_wait, or until it is abandoned. */
bool file_reader_wait(file_reader *r);
void file_reader_end_wait(file_reader *r);

typedef enum { FILE_TAKE_SOME, FILE_TAKE_NONE, FILE_TAKE_LONG } file_take;

/* Takes 1 to `max` of the bytes that are there. They stay valid until the next wait. */
file_take file_reader_take(file_reader *r, size_t max, const char **bytes, size_t *length);

/* Takes one line, without its LF or CRLF. FILE_TAKE_NONE: it is not complete yet. At the end of the file the
 * rest is a line, too. FILE_TAKE_LONG: it is longer than `max` bytes; nothing is taken. */
file_take file_reader_take_line(file_reader *r, size_t max, const char **bytes, size_t *length);

/* Goes on from there, at most `step` bytes at a time; bytes read ahead are dropped. False: the file has no
 * places, or a task waits. */
bool file_reader_seek(file_reader *r, uint64_t offset, size_t step);

/* Nothing is left and nothing will come. */
static inline bool file_reader_ended(const file_reader *r) { return r->end && r->taken == r->bytes.length; }

#endif
