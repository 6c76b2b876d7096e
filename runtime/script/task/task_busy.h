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
/* How old what the system said may be when a step begins. It costs some microseconds to ask. */
#define STARVED_EVERY (50 * MILLISECOND)

/* Notes for how long this thread had to wait for a processor so far; returns the time. */
uint64_t busy_note_starved(lur_runtime *rt);

/* A step of a task begins. Its time counts since the loop read its clock, or since the task before it
 * stopped: that saves reading one here. */
static inline void busy_begin(lur_runtime *rt)
{
  uint64_t now = loop_now(&rt->loop);
  if (rt->stopped_at > now) now = rt->stopped_at;
  rt->resumed_at = now > rt->starved_at + STARVED_EVERY ? busy_note_starved(rt) : now;
}

/* The task has just been resumed, stopped the clock BUSY_LIMIT or more after it, and waits now or is about to
 * end: logs a warning that says who and where, unless it was the processors that others held. */
void busy_warn(lur_task *t);

#endif
