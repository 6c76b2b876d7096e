#include "core/file/file_place.h"

#include "core/file/guarded.h"
#include "core/file/guarded_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A link below /proc leads to what a process has open, whatever its text says: "pipe:[123]", "x (deleted)".
 */
static bool is_magic(const char *link)
{
  struct statfs system;
  int fd = open(link, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return false;
  bool magic = fstatfs(fd, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
  close(fd);
  return magic;
}

/* The path that a link's text means: relative to the folder of the link. Frees `link`; NULL: errno says why.
 */
static char *read_link(char *link)
{
  char text[PATH_MAX];
  char *joined = NULL;
  ssize_t length = readlink(link, text, sizeof text - 1);
  if (length >= 0) {
    text[length] = '\0';
    const char *slash = text[0] == '/' ? NULL : strrchr(link, '/');
    int folder = slash ? (int)(slash - link + 1) : 0;
    if (asprintf(&joined, "%.*s%s", folder, link, text) < 0) joined = NULL;
  }
  int number = errno;
  free(link);
  errno = number;
  return joined;
}

/* Leaves in place->path what is no link, or a magic one. */
static int follow(file_place *place, bool *magic)
{
  struct stat status;
  for (int links = 0; guarded_lstat(place->path, &status) == 0 && S_ISLNK(status.st_mode); links++) {
    if (links == MAX_LINKS || is_guarded(place->path)) return ELOOP;
    *magic = is_magic(place->path);
    if (*magic) return 0;
    place->path = read_link(place->path);
    if (!place->path) return errno;
  }
  return 0;
}

static int look(file_place *place, const char *path)
{
  if (!*path) return ENOENT;
  place->path = strdup(path);
  if (!place->path) return ENOMEM;
  bool magic = false;
  int number = follow(place, &magic);
  if (number) return number;
  struct stat status;
  if (guarded_stat(place->path, &status) != 0) return errno == ENOENT && !magic ? 0 : errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  /* Replacing needs no right to write the old file; but who protected it will not expect it to change. */
  if (guarded_access(place->path, W_OK) != 0) return errno;
  place->kind = S_ISREG(status.st_mode) && !magic ? FILE_PLACE_REGULAR : FILE_PLACE_DIRECT;
  place->mode = status.st_mode & 0777;
  place->user = status.st_uid;
  place->group = status.st_gid;
  return 0;
}

int file_place_find(const char *path, file_place *place)
{
  *place = (file_place){.kind = FILE_PLACE_NEW};
  int number = look(place, path);
  if (!number) return 0;
  free(place->path);
  place->path = NULL;
  return number;
}

/* Our own descriptor of which the path is the name ("/proc/self/fd/1"), or -1. */
static int own_descriptor(const char *path, const struct stat *status)
{
  const char *slash = strrchr(path, '/');
  char *end;
  long number = strtol(slash ? slash + 1 : path, &end, 10);
  struct stat own;
  if (*end || number < 0 || number > INT_MAX || fstat((int)number, &own) != 0) return -1;
  return own.st_dev == status->st_dev && own.st_ino == status->st_ino ? (int)number : -1;
}

/* Opening a socket by its name is not possible: one connects to it. */
static int connect_to(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int handle = open(path, O_PATH | O_CLOEXEC); /* its number makes a name that is short enough */
  if (handle < 0) return -1;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", handle);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
    int number = errno;
    close(fd);
    errno = number;
    fd = -1;
  }
  int number = errno;
  close(handle);
  errno = number;
  return fd;
}

int file_place_open(const file_place *place)
{
  struct stat status;
  if (guarded_stat(place->path, &status) != 0) return -1;
  /* Standard output that is a file is written where it stands, not emptied; one that is a socket cannot be
   * opened anew. Pipes and terminals can: then O_NONBLOCK is ours alone. */
  int own = own_descriptor(place->path, &status);
  if (own >= 0 && (S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode)))
    return fcntl(own, F_DUPFD_CLOEXEC, 0);
  if (S_ISSOCK(status.st_mode) && !is_guarded(place->path)) return connect_to(place->path);
  return guarded_open(place->path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_TRUNC, 0);
}
