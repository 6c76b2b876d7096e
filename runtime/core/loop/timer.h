/* One-shot timers, kept in a binary heap: starting one that is due last costs O(1), which is the common
 * case for time limits. */
#ifndef LURCHER_CORE_TIMER_H
#define LURCHER_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct timer timer;
typedef struct timer_heap timer_heap;
typedef void (*timer_fn)(timer *t);

struct timer {
  uint64_t due; /* nanoseconds of the clock it was started on */
  timer_fn on_due;
  timer_heap *heap; /* that it is in */
  uint32_t place;   /* 1 + index in the heap; 0 while stopped */
  uint32_t order;   /* equal times fire in the order they were started */
};

struct timer_heap {
  timer **heap;
  size_t count, capacity;
  uint32_t started;
};

/* Starts or moves a timer (all-zero before its first use). False when memory ran out. */
bool timer_heap_start(timer_heap *heap, timer *t, uint64_t due, timer_fn on_due);

/* Stops it; a stopped timer is left alone. */
void timer_stop(timer *t);

/* Whether `a` is due before `b`: at the same time, the one that was started first. */
static inline bool timer_earlier(const timer *a, const timer *b)
{
  /* The count of starts may have wrapped between them. */
  return a->due != b->due ? a->due < b->due : (int32_t)(a->order - b->order) < 0;
}

/* The timer due first, or NULL. */
timer *timer_heap_first(const timer_heap *heap);

void timer_heap_free(timer_heap *heap);

static inline bool timer_active(const timer *t) { return t->place != 0; }

#endif
