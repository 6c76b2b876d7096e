/* LD_PRELOAD library: looking up "slow.test" takes three seconds, "slowest.test" a minute, and fails; other
 * names resolve as ever. */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
  unsigned seconds = !name                               ? 0
                     : strcmp(name, "slow.test") == 0    ? 3
                     : strcmp(name, "slowest.test") == 0 ? 60
                                                         : 0;
  if (seconds) {
    sleep(seconds);
    return EAI_NONAME;
  }
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  return real(name, service, hints, result);
}
