/* What time it is, and what is due when. A loop has two clocks: the real one, and a virtual one for tests
 * that should not have to wait.
 *
 * While a virtual run is on, the virtual clock stands still, and skips to its first timer once nothing else
 * can happen (core/virtual_run.h). While none is on, it goes on at the real pace, so that timers left on it
 * still fire. Neither ever goes back, whatever happens to the time of day. */
#ifndef LURCHER_CORE_CLOCK_H
#define LURCHER_CORE_CLOCK_H

#include "core/loop/timer.h"

typedef struct {
  uint64_t now; /* nanoseconds, read once per batch of events */
  timer_heap timers, precise;
  uint32_t started;
} loop_clock;

/* 290 years: the longest time there is. A timer due later than this never fires, so no clock gets there, and
 * adding the longest time to one cannot overflow. */
#define CLOCK_NEVER UINT64_C(9200000000000000000)

static inline uint64_t clock_now(const loop_clock *c) { return c->now; }

/* Starts (or moves) a timer to fire at `due`, or up to 1 ms later; one in the past fires in the next turn.
 * False: out of memory. */
bool clock_start(loop_clock *c, timer *t, uint64_t due, timer_fn on_due);

/* The same, but at most some 0.1 ms late on a machine that is not busy. Costs three system calls when it is
 * waited for: for short waits whose error would add up, as those for a rate. */
bool clock_start_precise(loop_clock *c, timer *t, uint64_t due, timer_fn on_due);

/* The timer due first, or NULL. */
timer *clock_first(const loop_clock *c);

/* Fires what is due, and returns how many timers those were. */
unsigned clock_fire(loop_clock *c);

void clock_free(loop_clock *c);

#endif
