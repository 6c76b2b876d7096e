#include "standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* A standard stream that the parent process closed must not become a socket's number, into which the
 * script would then print. Its place is taken by something that fails as a closed one does. */
static void reserve(void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int number_of(const void *cookie) { return (int)(intptr_t)cookie; }

static bool await(int fd, short events)
{
  struct pollfd stream = {.fd = fd, .events = events};
  return poll(&stream, 1, -1) >= 0 || errno == EINTR;
}

static ssize_t read_some(void *cookie, char *bytes, size_t size)
{
  int fd = number_of(cookie);
  for (;;) {
    ssize_t got = read(fd, bytes, size);
    if (got >= 0 || (errno != EINTR && !(errno == EAGAIN && await(fd, POLLIN)))) return got;
  }
}

/* All of it, unless there is an error: stdio drops what a write leaves over. */
static ssize_t write_all(void *cookie, const char *bytes, size_t length)
{
  int fd = number_of(cookie);
  size_t done = 0;
  while (done < length) {
    ssize_t written = write(fd, bytes + done, length - done);
    if (written >= 0)
      done += (size_t)written;
    else if (errno != EINTR && !(errno == EAGAIN && await(fd, POLLOUT)))
      return 0;
  }
  return (ssize_t)length;
}

static int seek(void *cookie, off64_t *position, int whence)
{
  off64_t place = lseek64(number_of(cookie), *position, whence);
  if (place < 0) return -1;
  *position = place;
  return 0;
}

/* The stream, or another in its place where its descriptor does not block: a pipe that the parent shares with
 * an event loop, say. To make it block would change it for the parent, too. */
static FILE *waiting(FILE *stream, const char *access, int mode)
{
  int fd = fileno(stream), flags = fcntl(fd, F_GETFL);
  if (flags < 0 || !(flags & O_NONBLOCK)) return stream;
  cookie_io_functions_t functions = {.read = read_some, .write = write_all, .seek = seek};
  FILE *replacement = fopencookie((void *)(intptr_t)fd, access, functions);
  if (!replacement) return stream;
  setvbuf(replacement, NULL, isatty(fd) && mode == _IOFBF ? _IOLBF : mode, BUFSIZ);
  return replacement;
}

void standard_streams_prepare(void)
{
  reserve();
  stdin = waiting(stdin, "r", _IOFBF);
  stdout = waiting(stdout, "w", _IOFBF);
  stderr = waiting(stderr, "w", _IONBF);
}
