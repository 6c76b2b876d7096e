/* A fast source of random numbers for waits and choices; not for keys, which come from the operating system.
 */
#ifndef LURCHER_CORE_RANDOM_H
#define LURCHER_CORE_RANDOM_H

#include <stdint.h>

typedef struct {
  uint64_t state;
} random_source;

/* From the operating system, or the time where that fails. */
void random_seed(random_source *r);

/* The next 64 bits. The same state gives the same sequence. */
uint64_t random_next(random_source *r);

/* From 0 up to, but not including, 1. */
double random_unit(random_source *r);

#endif
