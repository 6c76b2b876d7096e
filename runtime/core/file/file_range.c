#include "core/file/file_range.h"

#include "core/file/file.h"
#include "core/file/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files of /proc and the like say that they are empty. */
static bool has_size(int fd, const struct stat *seen)
{
  char byte;
  return S_ISREG(seen->st_mode) && (seen->st_size > 0 || read(fd, &byte, 1) <= 0);
}

static bool refuse_range(error *e, const file_range *r, const char *why)
{
  error_set(e, ERROR_file, NULL, "cannot read '%.*s%s': %s", SHORTENED(guarded_name(r->path), 300), why);
  return false;
}

static bool measure(file_range *r, error *e)
{
  char why[160];
  uint64_t size = (uint64_t)r->seen.st_size, rest = size > r->offset ? size - r->offset : 0;
  if (r->offset <= size && (r->length == FILE_TO_THE_END || r->length <= rest)) {
    if (r->length == FILE_TO_THE_END) r->length = rest;
    return true;
  }
  snprintf(why, sizeof why, "it has %llu bytes, so the range from offset %llu on is not within it",
           (unsigned long long)size, (unsigned long long)r->offset);
  return refuse_range(e, r, why);
}

/* A plain file needs no descriptor, of which there may be few, before it is read. */
static bool is_plain(file_range *r)
{
  return guarded_stat(r->path, &r->seen) == 0 && S_ISREG(r->seen.st_mode) && r->seen.st_size > 0 &&
         guarded_access(r->path, R_OK) == 0;
}

static bool examine(file_range *r, error *e)
{
  if (fstat(r->fd, &r->seen)) return file_error(e, "read", r->path, errno);
  if (S_ISDIR(r->seen.st_mode)) return file_error(e, "read", r->path, EISDIR);
  if (has_size(r->fd, &r->seen)) {
    close(r->fd);
    r->fd = -1;
    return measure(r, e);
  }
  bool at_place =
      (!S_ISREG(r->seen.st_mode) && r->offset == 0) || lseek(r->fd, (off_t)r->offset, SEEK_SET) >= 0;
  return at_place || file_error(e, "seek in", r->path, errno);
}

bool file_range_look(file_range *r, const char *path, uint64_t offset, uint64_t length, error *e)
{
  *r = (file_range){.path = strdup(path), .fd = -1, .offset = offset, .length = length, .wanted = length};
  if (!r->path) return file_error(e, "read", path, ENOMEM);
  bool plain = is_plain(r);
  if (!plain) r->fd = file_open(path, e);
  if (plain ? measure(r, e) : r->fd >= 0 && examine(r, e)) return true;
  file_range_free(r);
  return false;
}

bool file_range_renew(file_range *r, error *e)
{
  file_range now;
  if (!file_range_look(&now, r->path, r->offset, r->wanted, e)) return false;
  bool plain = now.fd < 0;
  if (plain) {
    r->length = now.length;
    r->seen = now.seen;
  } else {
    refuse_range(e, r, "it was a plain file before its turn came, and is none any more");
  }
  file_range_free(&now);
  return plain;
}

bool file_range_is_same(const file_range *r, int fd, error *e)
{
  struct stat now;
  if (fstat(fd, &now)) return file_error(e, "read", r->path, errno);
  if (now.st_size < r->seen.st_size) return refuse_range(e, r, "it became shorter while it was sent");
  if (now.st_size > r->seen.st_size) return refuse_range(e, r, "it grew while it was sent");
  if (now.st_dev != r->seen.st_dev || now.st_ino != r->seen.st_ino)
    return refuse_range(e, r, "another file is at its place since the request began");
  if (now.st_mtim.tv_sec != r->seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != r->seen.st_mtim.tv_nsec)
    return refuse_range(e, r, "it changed while it was sent");
  return true;
}

int file_range_open(const file_range *r, error *e)
{
  int fd = file_open(r->path, e);
  if (fd < 0 || file_range_is_same(r, fd, e)) return fd;
  close(fd);
  return -1;
}

bool file_range_take(file_range *to, file_range *from)
{
  char *path = strdup(from->path);
  if (!path) return false;
  *to = *from;
  to->path = path;
  from->fd = -1;
  return true;
}

void file_range_free(file_range *r)
{
  if (r->fd >= 0) close(r->fd);
  free(r->path);
  r->fd = -1;
  r->path = NULL;
}
