#include "core/file/file_part.h"

#include "core/file/file.h"
#include "core/file/file_place.h"
#include "core/file/guarded.h"
#include "core/file/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HASH_PIECE = 256 * 1024 };

static const int SAFELY = O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;

static bool is_regular(int fd)
{
  struct stat status;
  if (fstat(fd, &status) != 0) return false;
  if (!S_ISREG(status.st_mode)) errno = EINVAL;
  return S_ISREG(status.st_mode);
}

static bool place_at(int fd, off_t offset, bool cut)
{
  return is_regular(fd) && (!cut || ftruncate(fd, offset) == 0) && lseek(fd, offset, SEEK_SET) == offset;
}

bool file_part_open(file_target *t, const char *path, uint64_t offset, bool cut, error *e)
{
  *t = (file_target){.fd = guarded_open(path, O_WRONLY | O_CREAT | SAFELY, 0666), .path = strdup(path)};
  if (t->fd >= 0 && t->path && place_at(t->fd, (off_t)offset, cut)) return true;
  file_error(e, "write", path, t->path ? errno : ENOMEM);
  if (t->fd >= 0) close(t->fd);
  free(t->path);
  *t = (file_target){.fd = -1};
  return false;
}

bool file_part_measure(const char *path, double *size, error *e)
{
  struct stat status;
  *size = -1;
  if (guarded_lstat(path, &status) != 0) return errno == ENOENT || file_error(e, "write", path, errno);
  if (!S_ISREG(status.st_mode)) return file_error(e, "write", path, EINVAL);
  *size = (double)status.st_size;
  return true;
}

/* Before the rename: otherwise a crash of the machine could leave the name on an empty file. */
static bool sync_as(const char *path, const file_place *old, error *e)
{
  int fd = guarded_open(path, O_RDONLY | SAFELY, 0);
  bool ok = fd >= 0 && (old->kind != FILE_PLACE_REGULAR || fchmod(fd, old->mode) == 0) &&
            (fsync(fd) == 0 || errno == EINVAL);
  if (!ok) file_error(e, "write", path, errno);
  if (fd >= 0) close(fd);
  return ok;
}

/* A new name, and never that of a file that is there. Not every file system knows how to rename so. */
static int rename_exclusively(const char *path, const char *name)
{
  if (guarded_rename(path, name, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  if (guarded_link(path, name) != 0) return -1;
  return guarded_unlink(path);
}

bool file_part_complete(const char *path, const char *name, bool exclusive, error *e)
{
  file_place old = {.kind = FILE_PLACE_NEW};
  int number = exclusive ? 0 : file_place_find(name, &old);
  if (number) return file_error(e, "write", name, number);
  bool ok = sync_as(path, &old, e);
  if (ok) {
    number = exclusive ? rename_exclusively(path, name) : guarded_rename(path, name, 0);
    ok = number == 0 || file_error(e, "write", name, errno);
  }
  free(old.path);
  return ok;
}

static bool hash_all(int fd, const char *path, sha256 *hash, job *j, error *e)
{
  char *piece = malloc(HASH_PIECE);
  ssize_t got = -1;
  if (!piece) errno = ENOMEM;
  while (piece && !job_stopped(j) && (got = read(fd, piece, HASH_PIECE)) > 0)
    sha256_add(hash, piece, (size_t)got);
  free(piece);
  return got == 0 || file_error(e, "read", path, job_stopped(j) ? ECANCELED : errno);
}

bool file_part_hash(const char *path, buffer *out, job *j, error *e)
{
  char digits[SHA256_DIGITS + 1];
  int fd = guarded_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  sha256 *hash = sha256_new();
  bool ok =
      fd >= 0 && hash ? hash_all(fd, path, hash, j, e) : file_error(e, "read", path, fd < 0 ? errno : ENOMEM);
  if (ok) {
    sha256_end(hash, digits);
    ok = buffer_append(out, digits, SHA256_DIGITS) || file_error(e, "read", path, ENOMEM);
  }
  sha256_free(hash);
  if (fd >= 0) close(fd);
  return ok;
}
