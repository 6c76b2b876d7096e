#include "core/random.h"

#include <sys/random.h>
#include <time.h>

void random_seed(random_source *r)
{
  if (getrandom(&r->state, sizeof r->state, GRND_NONBLOCK) == sizeof r->state) return;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  r->state = (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)r;
}

/* SplitMix64: a counter in steps of the golden ratio, mixed; the period is 2^64, and any seed will do. */
uint64_t random_next(random_source *r)
{
  uint64_t z = r->state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

double random_unit(random_source *r) { return (double)(random_next(r) >> 11) * 0x1p-53; }
