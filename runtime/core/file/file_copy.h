/* Whole files to another name. For pool threads, as core/file/file.h. */
#ifndef LURCHER_CORE_FILE_COPY_H
#define LURCHER_CORE_FILE_COPY_H

#include "core/error.h"
#include "core/file/job.h"

/* Gives a file or directory another name on the same file system; a file of that name is replaced. */
bool file_rename(const char *from, const char *to, error *e);

/* Copies the bytes of a file, atomically (see file_target_open); a new file gets the mode of the old one. A
 * file onto itself is EINVAL. */
bool file_copy(const char *from, const char *to, job *j, error *e);

#endif
