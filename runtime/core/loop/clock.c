#include "core/loop/clock.h"

/* Both heaps count starts together, so that the order of equal times is that of their starts. */
static bool start(loop_clock *c, timer_heap *heap, timer *t, uint64_t due, timer_fn on_due)
{
  heap->started = c->started++;
  return timer_heap_start(heap, t, due > c->now ? due : c->now + 1, on_due);
}

bool clock_start(loop_clock *c, timer *t, uint64_t due, timer_fn on_due)
{
  return start(c, &c->timers, t, due, on_due);
}

bool clock_start_precise(loop_clock *c, timer *t, uint64_t due, timer_fn on_due)
{
  return start(c, &c->precise, t, due, on_due);
}

timer *clock_first(const loop_clock *c)
{
  timer *first = timer_heap_first(&c->timers), *precise = timer_heap_first(&c->precise);
  if (!first || !precise) return first ? first : precise;
  return timer_earlier(first, precise) ? first : precise;
}

unsigned clock_fire(loop_clock *c)
{
  unsigned count = 0;
  uint64_t now = c->now; /* callbacks may move it; what they start is due after this */
  timer *t;
  while ((t = clock_first(c)) && t->due <= now) {
    timer_stop(t);
    t->on_due(t);
    count++;
  }
  return count;
}

void clock_free(loop_clock *c)
{
  timer_heap_free(&c->timers);
  timer_heap_free(&c->precise);
}
