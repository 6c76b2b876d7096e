#include "core/loop/timer.h"

#include <stdlib.h>

static void put(timer_heap *heap, size_t index, timer *t)
{
  heap->heap[index] = t;
  t->place = (uint32_t)index + 1;
}

static void sift_up(timer_heap *heap, size_t index, timer *t)
{
  while (index > 0) {
    size_t parent = (index - 1) / 2;
    if (!timer_earlier(t, heap->heap[parent])) break;
    put(heap, index, heap->heap[parent]);
    index = parent;
  }
  put(heap, index, t);
}

static void sift_down(timer_heap *heap, size_t index, timer *t)
{
  for (;;) {
    size_t child = 2 * index + 1;
    if (child >= heap->count) break;
    if (child + 1 < heap->count && timer_earlier(heap->heap[child + 1], heap->heap[child])) child++;
    if (!timer_earlier(heap->heap[child], t)) break;
    put(heap, index, heap->heap[child]);
    index = child;
  }
  put(heap, index, t);
}

static void settle(timer_heap *heap, size_t index, timer *t)
{
  if (index > 0 && timer_earlier(t, heap->heap[(index - 1) / 2]))
    sift_up(heap, index, t);
  else
    sift_down(heap, index, t);
}

bool timer_heap_start(timer_heap *heap, timer *t, uint64_t due, timer_fn on_due)
{
  if (timer_active(t) && t->heap != heap) timer_stop(t);
  t->due = due;
  t->on_due = on_due;
  t->order = heap->started++;
  if (timer_active(t)) {
    settle(heap, t->place - 1, t);
    return true;
  }
  if (heap->count == heap->capacity) {
    size_t capacity = heap->capacity ? heap->capacity * 2 : 64;
    timer **grown = realloc(heap->heap, capacity * sizeof *grown);
    if (!grown) return false;
    heap->heap = grown;
    heap->capacity = capacity;
  }
  t->heap = heap;
  sift_up(heap, heap->count++, t);
  return true;
}

void timer_stop(timer *t)
{
  if (!timer_active(t)) return;
  timer_heap *heap = t->heap;
  size_t index = t->place - 1;
  timer *last = heap->heap[--heap->count];
  t->place = 0;
  if (last != t) settle(heap, index, last);
}

timer *timer_heap_first(const timer_heap *heap) { return heap->count ? heap->heap[0] : NULL; }

void timer_heap_free(timer_heap *heap)
{
  free(heap->heap);
  *heap = (timer_heap){0};
}
