/* What is sent takes effect before send() returns: the peer's answer may be there when the caller goes on. */
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
  ssize_t (*usual)(int, const void *, size_t, int) =
      (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
  ssize_t sent = usual(fd, bytes, length, flags);
  usleep(3000);
  return sent;
}
