#include "core/loop/timer.h"

#include "support/unit.h"

#include <stdlib.h>

enum { TIMERS = 300, STEPS = 100000 };

static timer timers[TIMERS];
static timer_heap heap;
static uint32_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state % below;
}

static void on_due(timer *t) { (void)t; }

/* What should be first, found the slow way. */
static timer *reference_first(void)
{
  timer *first = NULL;
  for (size_t i = 0; i < TIMERS; i++) {
    timer *t = &timers[i];
    if (!timer_active(t)) continue;
    if (!first || t->due < first->due || (t->due == first->due && t->order < first->order)) first = t;
  }
  return first;
}

static bool is_heap(void)
{
  for (size_t i = 0; i < heap.count; i++) {
    const timer *t = heap.heap[i], *parent = heap.heap[i ? (i - 1) / 2 : 0];
    if (t->place != i + 1) return false;
    if (parent->due > t->due || (parent->due == t->due && parent->order > t->order)) return false;
  }
  return true;
}

static void keeps_the_first_timer_first(void)
{
  size_t active = 0;
  bool right = true;
  for (int step = 0; step < STEPS && right; step++) {
    timer *t = &timers[next_random(TIMERS)];
    switch (next_random(5)) {
    case 0:
    case 1: /* started, or moved */
      active += !timer_active(t);
      right = timer_heap_start(&heap, t, next_random(step % 2 ? 50 : 1000000), on_due);
      break;
    case 2: /* the first one is taken */
      t = timer_heap_first(&heap);
      if (!t) break;
      active--;
      timer_stop(t);
      break;
    default: /* one is stopped, perhaps again */
      active -= timer_active(t);
      timer_stop(t);
      right = !timer_active(t);
    }
    right = right && heap.count == active && timer_heap_first(&heap) == reference_first();
    if (step % 64 == 0) right = right && is_heap();
  }
  check(right);
  uint64_t last_due = 0, last_order = 0;
  timer *t;
  while ((t = timer_heap_first(&heap))) {
    right = right && (t->due > last_due || (t->due == last_due && t->order >= last_order));
    last_due = t->due;
    last_order = t->order;
    timer_stop(t);
  }
  check(right && heap.count == 0);
}

static void fires_equal_times_in_the_order_of_starting(void)
{
  for (size_t i = 0; i < TIMERS; i++) check(timer_heap_start(&heap, &timers[i], 7, on_due));
  timer_stop(&timers[5]);
  check(timer_heap_start(&heap, &timers[0], 7, on_due)); /* moved: now last */
  for (size_t i = 1; i < TIMERS; i++) {
    if (i == 5) continue;
    check(timer_heap_first(&heap) == &timers[i]);
    timer_stop(timer_heap_first(&heap));
  }
  check(timer_heap_first(&heap) == &timers[0]);
  timer_stop(&timers[0]);
  check(!timer_heap_first(&heap));
}

int main(void)
{
  check(!timer_heap_first(&heap));
  timer_stop(&timers[0]);
  keeps_the_first_timer_first();
  fires_equal_times_in_the_order_of_starting();
  timer_heap_free(&heap);
  check(heap.count == 0 && !heap.heap);
  return unit_end();
}
