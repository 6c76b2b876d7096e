/* A file that one holder at a time has, among all processes and within one: an empty file beside what it
 * guards, locked by flock(2), which ends with the process. For pool threads, as core/file/file.h; releasing
 * is quick and may be done on the loop's. */
#ifndef LURCHER_CORE_FILE_LOCK_H
#define LURCHER_CORE_FILE_LOCK_H

#include "core/error.h"
#include "core/file/job.h"

typedef struct {
  int fd; /* -1: not held */
  char *path;
} file_lock;

/* Takes the lock whose file is `path`, which is made (mode 0600) when it is missing. Held by somebody else:
 * with `wait`, tries again until it is free or the job is stopped; else kind "file", code "EWOULDBLOCK". */
bool file_lock_take(file_lock *lock, const char *path, bool wait, job *j, error *e);

/* Removes the file and gives the lock back. Nothing on one that is not held. */
void file_lock_release(file_lock *lock);

#endif
