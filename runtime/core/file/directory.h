/* Directories, the blocking way: like core/file.h, for pool threads. */
#ifndef LURCHER_CORE_DIRECTORY_H
#define LURCHER_CORE_DIRECTORY_H

#include "core/file/file.h"

typedef struct {
  char *name;
  const char *type; /* "file", "directory", "link" or "other"; a static string */
  double size;      /* bytes */
  double modified;  /* seconds since 1970 */
} directory_entry;

typedef struct {
  directory_entry *entries;
  size_t count, capacity;
} directory_listing;

/* All entries but "." and "..", sorted by the bytes of their names. `details`: type, size and time as well.
 */
bool directory_list(const char *path, bool details, directory_listing *listing, job *j, error *e);
void directory_listing_free(directory_listing *listing);

/* Makes a directory. `parents`: and those above it; a directory that is there already is fine. */
bool directory_make(const char *path, bool parents, error *e);

/* Removes a file, a link (not what it points to) or an empty directory. `recursive`: and all that is in it.
 */
bool directory_remove(const char *path, bool recursive, job *j, error *e);

#endif
