/* Where writing to a path ends up: the links of its last component are followed as open(2) follows them. */
#ifndef LURCHER_CORE_FILE_PLACE_H
#define LURCHER_CORE_FILE_PLACE_H

#include <stdbool.h>

typedef enum {
  FILE_PLACE_NEW,     /* nothing is there yet: a regular file is made */
  FILE_PLACE_REGULAR, /* a regular file with a name, which another file can take over by rename(2) */
  FILE_PLACE_DIRECT,  /* a device, pipe, socket or terminal, or what a process has open: written into */
} file_place_kind;

typedef struct {
  char *path; /* the caller frees it; NULL after a failure */
  file_place_kind kind;
  unsigned mode; /* FILE_PLACE_REGULAR: its permission bits, owner and group */
  unsigned user, group;
} file_place;

/* Finds it. Returns 0, or an errno number: EISDIR for a directory, EACCES for what may not be written. */
int file_place_find(const char *path, file_place *place);

/* Opens what is FILE_PLACE_DIRECT for writing: a descriptor, or -1 with errno. Never waits: a pipe without a
 * reader is ENXIO. */
int file_place_open(const file_place *place);

#endif
