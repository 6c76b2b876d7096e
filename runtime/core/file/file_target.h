/* A file being written: into the file itself, or beside it until it is complete. For pool threads, as
 * core/file/file.h. */
#ifndef LURCHER_CORE_FILE_TARGET_H
#define LURCHER_CORE_FILE_TARGET_H

#include "core/buffer.h"
#include "core/error.h"
#include "core/file/job.h"

typedef enum {
  FILE_TRUNCATE, /* empties the file, writes into it */
  FILE_APPEND,   /* writes behind its end */
  FILE_ATOMIC,   /* writes a file beside it, which takes its place at the end */
} file_mode;

/* All-zero, or fd -1: not open. */
typedef struct {
  int fd;
  char *path;      /* as given, for messages */
  char *place;     /* where the file goes, symbolic links resolved */
  char *temporary; /* FILE_ATOMIC: what is written until it is complete; NULL: the file itself */
  bool is_private; /* FILE_ATOMIC: for its owner only (mode 0600), whatever was there before */
} file_target;

/* Opens (makes) a file for writing. An existing file's mode and owner are kept. FILE_ATOMIC follows links as
 * open(2) does; what is not a regular file (a device, a pipe, a socket, what a process has open) is written
 * into directly. */
bool file_target_open(file_target *t, const char *path, file_mode mode, bool is_private, error *e);

/* Makes a file in the folder of `path` for what is kept until that is written: without a name and for its
 * owner only. It is gone with its descriptors, however the process ends. `reading` becomes a second
 * descriptor, to read it. */
bool file_target_open_spool(file_target *t, const char *path, int *reading, error *e);

/* Completes it: for FILE_ATOMIC, the data is brought to the disk and the file takes its place. Closed on
 * success and on failure; a temporary file never stays behind. */
bool file_target_commit(file_target *t, error *e);

/* Closes it without completing it: the temporary file is removed. Nothing on a closed one. */
void file_target_discard(file_target *t);

/* Writes a whole file atomically: afterwards it holds either the old bytes or the new ones. */
bool file_write(const char *path, const buffer *data, bool is_private, job *j, error *e);

#endif
