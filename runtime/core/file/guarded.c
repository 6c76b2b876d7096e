#include "core/file/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- opening ---- */

static int close_failed(int fd)
{
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

/* For systems that do not know openat2: name by name from the root, which takes a call for each. */
static int walk(char *path, int flags, mode_t mode)
{
  int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  while (at >= 0) {
    path += strspn(path, "/");
    char *end = path + strcspn(path, "/");
    bool last = !end[strspn(end, "/")];
    *end = '\0';
    int wanted = last ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int next = openat(at, *path ? path : ".", wanted, mode);
    if (next < 0) return close_failed(at);
    close(at);
    if (last) return next;
    at = next;
    path = end + 1;
  }
  return -1;
}

static int walk_copy(const char *path, int flags, mode_t mode)
{
  char *copy = strdup(path);
  int fd = copy ? walk(copy, flags, mode) : -1, number = errno;
  struct stat status;
  free(copy);
  errno = number;
  if (fd < 0 || !(flags & O_PATH) || fstat(fd, &status) != 0 || !S_ISLNK(status.st_mode)) return fd;
  errno = ELOOP;
  return close_failed(fd);
}

int guarded_open(const char *path, int flags, mode_t mode)
{
  if (!is_guarded(path)) return open(path, flags, mode);
  struct open_how how = {.flags = (unsigned)flags,
                         .mode = flags & O_CREAT ? mode : 0,
                         .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  bool unknown = fd < 0 && (errno == ENOSYS || errno == EPERM);
  return unknown ? walk_copy(path, flags, mode) : fd;
}

/* ---- names in a folder ---- */

bool guarded_place_find(guarded_place *p, const char *path)
{
  const char *slash = strrchr(path, '/');
  *p = (guarded_place){.folder = AT_FDCWD, .name = path};
  if (!is_guarded(path)) return true;
  char *folder = strndup(path, (size_t)(slash - path) + (slash < path + 2));
  if (!folder) return false;
  p->folder = guarded_open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  p->name = slash[1] ? slash + 1 : ".";
  int number = errno;
  free(folder);
  errno = number;
  return p->folder >= 0;
}

int guarded_place_leave(const guarded_place *p, int result)
{
  int number = errno;
  if (p->folder >= 0) close(p->folder);
  errno = number;
  return result;
}

int guarded_stat(const char *path, struct stat *status)
{
  if (!is_guarded(path)) return stat(path, status);
  int fd = guarded_open(path, O_PATH | O_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (fstat(fd, status) != 0) return close_failed(fd);
  return close(fd);
}

int guarded_lstat(const char *path, struct stat *status)
{
  guarded_place p;
  if (!guarded_place_find(&p, path)) return -1;
  return guarded_place_leave(&p, fstatat(p.folder, p.name, status, AT_SYMLINK_NOFOLLOW));
}

int guarded_hold_open(guarded_hold *h, const char *path)
{
  h->fd = guarded_open(path, O_PATH | O_CLOEXEC, 0);
  if (h->fd < 0) return -1;
  snprintf(h->name, sizeof h->name, "/proc/self/fd/%d", h->fd);
  return 0;
}

void guarded_hold_close(guarded_hold *h)
{
  int number = errno;
  close(h->fd);
  errno = number;
}

int guarded_access(const char *path, int mode)
{
  guarded_hold h;
  if (!is_guarded(path)) return faccessat(AT_FDCWD, path, mode, AT_EACCESS);
  if (guarded_hold_open(&h, path) < 0) return -1;
  int result = faccessat(AT_FDCWD, h.name, mode, AT_EACCESS);
  guarded_hold_close(&h);
  return result;
}

int guarded_mkdir(const char *path, mode_t mode)
{
  guarded_place p;
  if (!guarded_place_find(&p, path)) return -1;
  return guarded_place_leave(&p, mkdirat(p.folder, p.name, mode));
}

static int unlink_at(const char *path, int flags)
{
  guarded_place p;
  if (!guarded_place_find(&p, path)) return -1;
  return guarded_place_leave(&p, unlinkat(p.folder, p.name, flags));
}

int guarded_rmdir(const char *path) { return unlink_at(path, AT_REMOVEDIR); }
int guarded_unlink(const char *path) { return unlink_at(path, 0); }

int guarded_link(const char *from, const char *to)
{
  guarded_place a, b;
  if (!guarded_place_find(&a, from)) return -1;
  if (!guarded_place_find(&b, to)) return guarded_place_leave(&a, -1);
  return guarded_place_leave(&a, guarded_place_leave(&b, linkat(a.folder, a.name, b.folder, b.name, 0)));
}

int guarded_rename(const char *from, const char *to, unsigned flags)
{
  guarded_place a, b;
  if (!guarded_place_find(&a, from)) return -1;
  if (!guarded_place_find(&b, to)) return guarded_place_leave(&a, -1);
  int result = flags ? renameat2(a.folder, a.name, b.folder, b.name, flags)
                     : renameat(a.folder, a.name, b.folder, b.name);
  return guarded_place_leave(&a, guarded_place_leave(&b, result));
}
