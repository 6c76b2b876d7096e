#include "core/file/file_copy.h"

#include "core/file/file.h"
#include "core/file/file_target.h"
#include "core/file/guarded.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 256 * 1024 /* bytes read at once */ };

bool file_rename(const char *from, const char *to, error *e)
{
  if (guarded_rename(from, to, 0) == 0) return true;
  int number = errno;
  struct stat status;
  bool from_is_there = guarded_lstat(from, &status) == 0;
  return file_error(e, from_is_there ? "rename to" : "rename", from_is_there ? to : from, number);
}

static bool same_file(const char *from, const char *to)
{
  struct stat a, b;
  return guarded_stat(from, &a) == 0 && guarded_stat(to, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

static bool copy_bytes(int fd, const char *from, const file_target *t, job *j, error *e)
{
  buffer piece = {0};
  size_t got = 1;
  bool ok = true;
  while (ok && got > 0) {
    piece.length = 0;
    ok = file_read_some(fd, from, PIECE, &piece, &got, NULL, j, e) &&
         file_write_all(t->fd, t->path, piece.bytes, got, j, e);
  }
  buffer_free(&piece);
  return ok;
}

/* A new file is made with everybody's rights less the umask; what is copied may be narrower. */
static bool keep_mode(int fd, const file_target *t, bool is_new, error *e)
{
  struct stat from, to;
  if (!is_new || !t->temporary || fstat(fd, &from) != 0 || fstat(t->fd, &to) != 0) return true;
  return fchmod(t->fd, (from.st_mode & to.st_mode & 0666) | (from.st_mode & 0100)) == 0 ||
         file_error(e, "write", t->path, errno);
}

bool file_copy(const char *from, const char *to, job *j, error *e)
{
  if (same_file(from, to)) return file_error(e, "copy a file onto itself:", from, EINVAL);
  int fd = file_open(from, e);
  if (fd < 0) return false;
  file_target t;
  bool is_new = guarded_access(to, F_OK) != 0;
  bool ok = file_target_open(&t, to, FILE_ATOMIC, false, e);
  if (ok) {
    ok = keep_mode(fd, &t, is_new, e) && copy_bytes(fd, from, &t, j, e);
    if (ok)
      ok = file_target_commit(&t, e);
    else
      file_target_discard(&t);
  }
  close(fd);
  return ok;
}
