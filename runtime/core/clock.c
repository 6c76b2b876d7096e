#include "core/clock.h"

bool clock_start(loop_clock *c, timer *t, uint64_t due, timer_fn on_due)
{
  return timer_heap_start(&c->timers, t, due > c->now ? due : c->now + 1, on_due);
}

unsigned clock_fire(loop_clock *c)
{
  unsigned count = 0;
  uint64_t now = c->now; /* callbacks may move it; what they start is due after this */
  timer *t;
  while ((t = timer_heap_first(&c->timers)) && t->due <= now) {
    timer_stop(t);
    t->on_due(t);
    count++;
  }
  return count;
}
