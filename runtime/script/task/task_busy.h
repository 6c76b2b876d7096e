/* Who held the loop too long: while one task runs, no other does, and no socket is looked at. */
#ifndef LURCHER_SCRIPT_TASK_BUSY_H
#define LURCHER_SCRIPT_TASK_BUSY_H

#include "script/task/task_internal.h"

#include <time.h>

/* Monotonic nanoseconds, some milliseconds coarse: a fifth of the price of the exact time, and read after
 * each step of a task. */
static inline uint64_t busy_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint64_t)now.tv_sec * 1000 * MILLISECOND + (uint64_t)now.tv_nsec;
}

#define BUSY_LIMIT (1000 * MILLISECOND)

/* The task has just been resumed, held the loop for `held` nanoseconds, more than BUSY_LIMIT, and waits now
 * or is about to end: logs a warning that says who and where. */
void busy_warn(lur_task *t, uint64_t held);

#endif
