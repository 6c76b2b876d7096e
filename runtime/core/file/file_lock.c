#include "core/file/file_lock.h"

#include "core/file/file.h"
#include "core/file/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_MS = 20 };

/* The holder before us removes the file when it is done: a lock on a file without a name guards nothing. */
static bool has_its_name(int fd, const char *path)
{
  struct stat held, named;
  return fstat(fd, &held) == 0 && guarded_stat(path, &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

typedef enum { TAKEN, HELD, REMOVED /* meanwhile: try again */, FAILED /* see errno */ } outcome;

static outcome try_once(file_lock *lock, const char *path)
{
  int fd = guarded_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
  if (fd < 0) return FAILED;
  outcome result = TAKEN;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0)
    result = errno == EWOULDBLOCK ? HELD : errno == EINTR ? REMOVED : FAILED;
  else if (!has_its_name(fd, path))
    result = REMOVED;
  if (result == TAKEN) {
    lock->fd = fd;
    return TAKEN;
  }
  int number = errno;
  close(fd);
  errno = number;
  return result;
}

static void pause_a_little(void)
{
  struct timespec time = {.tv_nsec = RETRY_MS * 1000000L};
  nanosleep(&time, NULL);
}

static bool refuse(file_lock *lock, outcome result, error *e)
{
  if (result == FAILED) {
    file_error(e, "lock", lock->path, errno);
  } else {
    error_set(e, ERROR_file, NULL, "'%.*s%s' is locked: another run is using it (EWOULDBLOCK)",
              SHORTENED(guarded_name(lock->path), 300));
    e->code = "EWOULDBLOCK";
  }
  free(lock->path);
  lock->path = NULL;
  return false;
}

bool file_lock_take(file_lock *lock, const char *path, bool wait, job *j, error *e)
{
  *lock = (file_lock){.fd = -1, .path = strdup(path)};
  if (!lock->path) return file_error(e, "lock", path, ENOMEM);
  outcome result;
  while ((result = try_once(lock, path)) != TAKEN) {
    if (result == FAILED || (result == HELD && !wait) || job_stopped(j)) return refuse(lock, result, e);
    if (result == HELD) pause_a_little();
  }
  return true;
}

void file_lock_release(file_lock *lock)
{
  if (lock->fd >= 0) {
    guarded_unlink(lock->path);
    close(lock->fd);
  }
  free(lock->path);
  *lock = (file_lock){.fd = -1};
}
