#include "net/flow/limiter.h"

#include "core/container_of.h"

#include <stdlib.h>

limiter *limiter_new(loop_clock *time, double rate, double burst)
{
  limiter *l = calloc(1, sizeof *l);
  if (!l) return NULL;
  l->references = 1;
  l->time = time;
  token_bucket_init(&l->bucket, rate, burst, clock_now(time));
  return l;
}

void limiter_ref(limiter *l) { l->references++; }

void limiter_unref(limiter *l)
{
  if (!l || --l->references) return;
  timer_stop(&l->wake);
  timer_heap_free(&l->queue);
  free(l);
}

uint64_t limiter_arrive(limiter *l) { return ++l->arrivals; }

static limiter_waiter *first_waiter(limiter *l)
{
  timer *place = timer_heap_first(&l->queue);
  return place ? container_of(place, limiter_waiter, place) : NULL;
}

static void serve(limiter *l);

static void on_wake(timer *t) { serve(container_of(t, limiter, wake)); }

/* on_turn may take, leave and give back tokens: each round of the loop below looks anew. */
static void serve(limiter *l)
{
  if (l->serving) return;
  l->serving = true;
  limiter_ref(l);
  limiter_waiter *w;
  timer_stop(&l->wake);
  while ((w = first_waiter(l))) {
    uint64_t now = clock_now(l->time), due = token_bucket_due(&l->bucket, now, w->count, true);
    if (due > now) {
      clock_start_precise(l->time, &l->wake, due, on_wake);
      break;
    }
    token_bucket_take(&l->bucket, w->count);
    timer_stop(&w->place);
    w->on_turn(w);
  }
  l->serving = false;
  limiter_unref(l);
}

bool limiter_take(limiter *l, limiter_waiter *w, uint64_t arrival, double count)
{
  uint64_t now = clock_now(l->time);
  const limiter_waiter *first = first_waiter(l);
  bool is_first = !first || arrival < first->place.due;
  uint64_t due = is_first ? token_bucket_due(&l->bucket, now, count, first) : UINT64_MAX;
  w->limiter = l;
  w->count = count;
  /* Without memory to wait in it goes now, and the others wait for longer. */
  if (due <= now || !timer_heap_start(&l->queue, &w->place, arrival, NULL)) {
    token_bucket_take(&l->bucket, count);
    return true;
  }
  if (is_first) clock_start_precise(l->time, &l->wake, due, on_wake);
  return false;
}

void limiter_leave(limiter_waiter *w)
{
  if (!limiter_waits(w)) return;
  bool was_first = first_waiter(w->limiter) == w;
  timer_stop(&w->place);
  if (was_first) serve(w->limiter);
}

void limiter_give_back(limiter *l, double count)
{
  token_bucket_give_back(&l->bucket, count);
  serve(l);
}
