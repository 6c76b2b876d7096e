/* Files within a folder, for names that strangers choose: what leads out of the folder is not there. */
#ifndef LURCHER_CORE_FILE_BENEATH_H
#define LURCHER_CORE_FILE_BENEATH_H

#include "core/error.h"

#include <stdbool.h>

typedef enum { FILE_BENEATH_REGULAR, FILE_BENEATH_FOLDER, FILE_BENEATH_OTHER } file_beneath_kind;

enum { FILE_BENEATH_TAG_SIZE = 56 };

typedef struct {
  int fd; /* of a regular file: the caller closes it; else -1 */
  file_beneath_kind kind;
  double size, modified;           /* bytes; seconds since 1970 */
  char tag[FILE_BENEATH_TAG_SIZE]; /* another one after each change: of its place, size and time */
} file_beneath;

/* Opens `name` in `folder`. Links are followed as long as they stay in the folder, also when they are changed
 * meanwhile. Pipes and devices are not opened. False: kind "file"; ENOENT, too, for what leads out. For pool
 * threads. */
bool file_beneath_open(file_beneath *found, const char *folder, const char *name, error *e);

#endif
