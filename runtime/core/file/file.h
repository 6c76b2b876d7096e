/* Files, the blocking way: these functions run on pool threads (core/job.h), never on the loop's.
 *
 * Failures fill `e` (kind "file", the errno's name as code; "too_large" for a cap that was passed) and return
 * false. `j` is the job they run for: once it is stopped they give up between two steps. */
#ifndef LURCHER_CORE_FILE_H
#define LURCHER_CORE_FILE_H

#include "core/buffer.h"
#include "core/error.h"
#include "core/file/job.h"

#include <stdint.h>

/* Sets kind "file", "cannot VERB 'PATH': reason (ENAME)" and the code ENAME. Returns false. */
bool file_error(error *e, const char *verb, const char *path, int number);

/* Opens for reading. Never waits for a writer of a pipe: file_read_some does. "/dev/stdin" goes on where
 * standard input stands. Returns -1 on failure. */
int file_open(const char *path, error *e);

/* Appends what comes next, at most `max` bytes, to `out`. `*got` 0: the end. A pipe or a terminal is waited
 * for: until something comes or, unless `later` is NULL, for a moment only; then `*later` says that nothing
 * has come yet. */
bool file_read_some(int fd, const char *path, size_t max, buffer *out, size_t *got, bool *later, job *j,
                    error *e);

/* Reads a whole file. More than `max` bytes is "too_large". `*permissions`: the last twelve bits of its mode.
 */
bool file_read(const char *path, uint64_t max, buffer *out, unsigned *permissions, job *j, error *e);

/* Writes all bytes, in as many steps as it takes. */
bool file_write_all(int fd, const char *path, const char *bytes, size_t length, job *j, error *e);

/* Adds to the end of a file, made when it is missing. Once begun it is not given up half-way. */
bool file_append(const char *path, const buffer *data, job *j, error *e);

/* `*exists` false: there is nothing of that name. */
bool file_exists(const char *path, bool *exists, error *e);

#endif
