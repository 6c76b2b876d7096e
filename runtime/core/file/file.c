#include "core/file/file.h"

#include "core/file/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  STEP = 1 << 20,   /* bytes between two looks at the job's stop flag */
  POLL_MS = 50,     /* how long a pipe is waited for before the stop flag is checked */
  SHOWN_PATH = 300, /* of a path in a message, so that the reason behind it is never cut off */
};

bool file_error(error *e, const char *verb, const char *path, int number)
{
  const char *name = strerrorname_np(number), *reason = strerrordesc_np(number);
  path = guarded_name(path);
  size_t length = strlen(path);
  bool cut = length > SHOWN_PATH;
  if (cut) path += length - SHOWN_PATH;
  /* not the end of a name: it might be that of a secret, which is only known as a whole */
  const char *whole = cut ? strchr(path, '/') : NULL;
  error_set(e, ERROR_file, NULL, "cannot %s '%s%s': %s (%s)", verb, cut ? "..." : "", whole ? whole : path,
            reason ? reason : "unknown error", name ? name : "errno");
  e->code = name;
  return false;
}

/* Waits until a pipe, terminal or such is ready; regular files always are. False: stopped. */
static bool wait_ready(int fd, short events, job *j, error *e)
{
  struct pollfd p = {.fd = fd, .events = events};
  do {
    if (job_check_stopped(j, e)) return false;
  } while (poll(&p, 1, POLL_MS) <= 0);
  return true;
}

/* ---- reading ---- */

/* Opened by its path a file on standard input would begin anew, and a socket could not be opened at all. */
static int open_standard_input(void) { return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); }

int file_open(const char *path, error *e)
{
  /* O_NONBLOCK: opening a pipe without a writer must not hang a pool thread. */
  int fd = strcmp(path, "/dev/stdin") == 0
               ? open_standard_input()
               : guarded_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
  if (fd < 0) file_error(e, "read", path, errno);
  return fd;
}

bool file_read_some(int fd, const char *path, size_t max, buffer *out, size_t *got, bool *later, job *j,
                    error *e)
{
  *got = 0;
  if (later) *later = false;
  if (!buffer_reserve(out, max)) return file_error(e, "read", path, ENOMEM);
  struct stat status;
  bool waits = fstat(fd, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
  for (;;) {
    if (waits && later) {
      struct pollfd p = {.fd = fd, .events = POLLIN};
      *later = poll(&p, 1, POLL_MS) <= 0;
      if (*later) return true;
    } else if (waits && !wait_ready(fd, POLLIN, j, e)) {
      return false;
    }
    ssize_t n = read(fd, out->bytes + out->length, max);
    if (n >= 0) {
      out->length += (size_t)n;
      *got = (size_t)n;
      return true;
    }
    if (errno != EINTR && errno != EAGAIN) return file_error(e, "read", path, errno);
    if (job_check_stopped(j, e)) return false;
  }
}

bool file_read(const char *path, uint64_t max, buffer *out, unsigned *permissions, job *j, error *e)
{
  int fd = file_open(path, e);
  if (fd < 0) return false;
  struct stat status;
  bool ok = fstat(fd, &status) == 0 || file_error(e, "read", path, errno);
  *permissions = ok ? status.st_mode & 07777 : 0;
  /* The size is a hint: files in /proc say 0, others grow while they are read. One byte more finds the end.
   */
  uint64_t size = ok && S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
  if (size <= max && !buffer_reserve(out, (size_t)size + 1)) ok = file_error(e, "read", path, ENOMEM);
  size_t got = 1;
  while (ok && got > 0) {
    uint64_t rest = size > out->length ? size - out->length + 1 : 4096;
    ok = !job_check_stopped(j, e) &&
         file_read_some(fd, path, rest < STEP ? (size_t)rest : STEP, out, &got, NULL, j, e);
    if (ok && (out->length > max || size > max)) {
      error_set(e, ERROR_too_large, NULL, "'%.*s%s' holds more than max = %.0f bytes",
                SHORTENED(guarded_name(path), 300), (double)max);
      e->limit = (double)max;
      e->observed = (double)(size > out->length ? size : out->length);
      ok = false;
    }
  }
  close(fd);
  return ok;
}

bool file_exists(const char *path, bool *exists, error *e)
{
  struct stat status;
  *exists = guarded_stat(path, &status) == 0;
  if (*exists || errno == ENOENT || errno == ENOTDIR) return true;
  return file_error(e, "look for", path, errno);
}

/* ---- writing ---- */

/* A socket may be one that others wait on without O_NONBLOCK, and must not end the process by SIGPIPE. */
static ssize_t write_some(int fd, bool socket, const char *bytes, size_t length)
{
  return socket ? send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) : write(fd, bytes, length);
}

bool file_write_all(int fd, const char *path, const char *bytes, size_t length, job *j, error *e)
{
  struct stat status;
  bool socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
  while (length > 0) {
    if (job_check_stopped(j, e)) return false;
    ssize_t n = write_some(fd, socket, bytes, length < STEP ? length : STEP);
    if (n >= 0) {
      bytes += n;
      length -= (size_t)n;
    } else if (errno == EAGAIN) {
      if (!wait_ready(fd, POLLOUT, j, e)) return false;
    } else if (errno != EINTR) {
      return file_error(e, "write", path, errno);
    }
  }
  return true;
}

bool file_append(const char *path, const buffer *data, job *j, error *e)
{
  if (job_check_stopped(j, e)) return false;
  int fd = guarded_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
  if (fd < 0) return file_error(e, "append to", path, errno);
  struct stat status;
  job never = {0};
  bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  bool ok = file_write_all(fd, path, data->bytes, data->length, regular ? &never : j, e);
  if (close(fd) != 0 && ok) ok = file_error(e, "append to", path, errno);
  return ok;
}
