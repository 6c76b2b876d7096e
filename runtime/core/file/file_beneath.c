#include "core/file/file_beneath.h"

#include "core/file/file.h"
#include "core/file/guarded.h"
#include "core/file/guarded_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Both absolute and without links. */
static bool is_within(const char *path, const char *folder)
{
  size_t length = strlen(folder);
  while (length && folder[length - 1] == '/') length--;
  return !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

static void describe(file_beneath *found, const struct stat *status)
{
  const struct timespec *time = &status->st_mtim;
  found->kind = S_ISREG(status->st_mode)   ? FILE_BENEATH_REGULAR
                : S_ISDIR(status->st_mode) ? FILE_BENEATH_FOLDER
                                           : FILE_BENEATH_OTHER;
  found->size = (double)status->st_size;
  found->modified = (double)time->tv_sec;
  snprintf(found->tag, sizeof found->tag, "%llx-%llx-%llx%09lx", (unsigned long long)status->st_ino,
           (unsigned long long)status->st_size, (unsigned long long)time->tv_sec,
           (unsigned long)time->tv_nsec);
}

/* It is looked at before it is opened, since opening alone does something to devices. */
static bool open_found(file_beneath *found, const char *path)
{
  struct stat status;
  if (guarded_stat(path, &status) < 0) return false;
  describe(found, &status);
  if (found->kind != FILE_BENEATH_REGULAR) return true;
  found->fd = guarded_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  if (found->fd < 0 || fstat(found->fd, &status) < 0) return false;
  describe(found, &status);
  errno = ENOENT; /* something else by now */
  return found->kind == FILE_BENEATH_REGULAR;
}

bool file_beneath_open(file_beneath *found, const char *folder, const char *name, error *e)
{
  char *joined = NULL, *path = NULL, *top = guarded_path(folder, true);
  bool ok = false;
  *found = (file_beneath){.fd = -1};
  if (!top) goto end;
  if (asprintf(&joined, "%s/%s", top, name) < 0) {
    joined = NULL;
    goto end;
  }
  path = guarded_path(joined, true);
  if (!path) goto end;
  errno = ENOENT;
  ok = is_within(path, top) && open_found(found, path);
end:
  if (!ok) {
    file_error(e, "open", name, errno);
    if (found->fd >= 0) close(found->fd);
    found->fd = -1;
  }
  free(joined);
  free(path);
  free(top);
  return ok;
}
