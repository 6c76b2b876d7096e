/* A file, or a part of one, that is going to be read: found out before the first byte of it is used. */
#ifndef LURCHER_CORE_FILE_RANGE_H
#define LURCHER_CORE_FILE_RANGE_H

#include "core/error.h"

#include <stdint.h>
#include <sys/stat.h>

#define FILE_TO_THE_END UINT64_MAX

/* All-zero but for fd -1: empty. */
typedef struct {
  char *path;
  int fd;                  /* -1: is opened anew by who reads it; else it can be read once only */
  uint64_t offset, length; /* bytes; FILE_TO_THE_END: as many as come, as of a pipe */
  uint64_t wanted;         /* the length that was asked for; FILE_TO_THE_END: all there is */
  struct stat seen;        /* its size, time and place when it was looked at */
} file_range;

/* Looks at a file and notes what it is. A regular file is closed again. What has no size (a pipe, a device, a
 * file of /proc) stays open, since it cannot be read twice. False: kind "file"; a range that is not within
 * the file is one, too. For pool threads. */
bool file_range_look(file_range *r, const char *path, uint64_t offset, uint64_t length, error *e);

/* Looks at a plain file anew: what is there now counts. False: kind "file", also when it is not plain any
 * more; the range stays as it was. For pool threads. */
bool file_range_renew(file_range *r, error *e);

/* Opens the file of a range again. -1, and kind "file", when it is not what was looked at. For pool threads.
 */
int file_range_open(const file_range *r, error *e);

/* Whether the open file is as it was when it was looked at; else kind "file". For pool threads. */
bool file_range_is_same(const file_range *r, int fd, error *e);

/* `to` becomes the range; an open descriptor goes over to it. False: out of memory (nothing changed). */
bool file_range_take(file_range *to, file_range *from);

void file_range_free(file_range *r);

#endif
