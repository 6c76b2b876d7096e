/* LD_PRELOAD library: the time of day can be set forward and back, the monotonic clock goes on. */
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static _Atomic long ahead; /* seconds */

/* Called by the script. */
void clock_jump(long seconds) { ahead += seconds; }

int clock_gettime(clockid_t id, struct timespec *now)
{
  int (*real)(clockid_t, struct timespec *);
  *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(id, now);
  if (id == CLOCK_REALTIME) now->tv_sec += ahead;
  return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  *now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *now)
{
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (now) *now = precise.tv_sec;
  return precise.tv_sec;
}
