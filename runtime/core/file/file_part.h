/* A file that comes in parts, over several attempts or runs: it grows under one name, and gets its own when
 * it is complete. For pool threads, as core/file/file.h. */
#ifndef LURCHER_CORE_FILE_PART_H
#define LURCHER_CORE_FILE_PART_H

#include "core/buffer.h"
#include "core/error.h"
#include "core/file/file_target.h"
#include "core/file/job.h"

/* Opens (makes) the file for writing from `offset` on; with `cut`, what is behind that is removed. A link or
 * what is not a regular file is refused. Nothing happens at the end but that it is closed: call
 * file_part_complete then. */
bool file_part_open(file_target *t, const char *path, uint64_t offset, bool cut, error *e);

/* Its size in bytes; -1 when it is missing. */
bool file_part_measure(const char *path, double *size, error *e);

/* Brings a part's bytes to the disk and gives the file its name. With `exclusive`, a file of that name stays:
 * code "EEXIST"; else it is replaced, and its mode kept. */
bool file_part_complete(const char *path, const char *name, bool exclusive, error *e);

/* Appends the SHA-256 of a file to `out`, in hexadecimal digits. */
bool file_part_hash(const char *path, buffer *out, job *j, error *e);

#endif
