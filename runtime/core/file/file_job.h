/* One job on files as one operation: read a whole file, write one atomically, list a directory … A compound
 * job is one trip to the thread pool, not one per system call, and is either waited for or given up as a
 * whole. */
#ifndef LURCHER_CORE_FILE_JOB_H
#define LURCHER_CORE_FILE_JOB_H

#include "core/file/directory.h"
#include "core/file/file_beneath.h"
#include "core/file/file_lock.h"
#include "core/file/file_place.h"
#include "core/file/file_range.h"
#include "core/file/file_target.h"
#include "core/loop/loop.h"

typedef enum {
  FILE_JOB_READ,         /* -> data, permissions; `max` */
  FILE_JOB_WRITE,        /* data; flag: private */
  FILE_JOB_APPEND,       /* data */
  FILE_JOB_EXISTS,       /* -> flag */
  FILE_JOB_LIST,         /* flag: details -> listing */
  FILE_JOB_MAKE,         /* flag: parents */
  FILE_JOB_REMOVE,       /* flag: recursive */
  FILE_JOB_RENAME,       /* data: the new name, with its NUL */
  FILE_JOB_COPY,         /* data: the new name, with its NUL */
  FILE_JOB_LOCK,         /* flag: wait -> lock */
  FILE_JOB_OPEN_READER,  /* -> fd */
  FILE_JOB_OPEN_BENEATH, /* data: a name in the folder, with its NUL -> beneath */
  FILE_JOB_LOOK,         /* range: offset and length -> range */
  FILE_JOB_OPEN_TARGET,  /* mode; flag: private -> target */
  FILE_JOB_OPEN_SPOOL,   /* -> target, fd: to read it */
  FILE_JOB_FIND_PLACE,   /* -> data: where writing to the path ends up, kind */
  FILE_JOB_OPEN_PART,    /* offset; flag: cut -> target */
  FILE_JOB_MEASURE,      /* -> size, see file_part_measure */
  FILE_JOB_COMPLETE,     /* data: the file's name, with its NUL; flag: exclusive */
  FILE_JOB_HASH,         /* -> data */
} file_action;

typedef struct {
  operation operation;
  job job;
  bool abandoned;
  file_action action;
  char *path;
  buffer data;
  uint64_t max;
  unsigned permissions;
  bool flag;
  file_mode mode;
  file_place_kind kind;
  uint64_t offset;
  double size;
  directory_listing listing;
  int fd;
  file_beneath beneath;
  file_target target;
  file_lock lock;
  file_range range;
  bool ok;
  error error; /* when not ok */
} file_job;

/* A job with copies of `path` and, unless it is NULL, `data`. NULL: out of memory. */
file_job *file_job_new(file_action action, const char *path, const char *data, size_t length);

/* Begins the operation. From now on it belongs to the waiting task: free it once completed, or abandon it. */
void file_job_start(file_job *j, loop *l);

/* Frees a job that is not running, with what it still holds: descriptors and files that nobody took over are
 * closed (set fd and beneath.fd to -1, or target to all-zero, lock.fd to -1 and lock.path to NULL, take the
 * range, to take them over). */
void file_job_free(file_job *j);

#endif
