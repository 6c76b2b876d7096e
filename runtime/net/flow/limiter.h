/* A rate that many share: a token bucket, and those who wait for its tokens in the order in which they came.
 * The first is told when its tokens are there. One timer serves all; none runs while nobody waits. */
#ifndef LURCHER_CORE_LIMITER_H
#define LURCHER_CORE_LIMITER_H

#include "core/loop/clock.h"
#include "net/flow/token_bucket.h"

typedef struct limiter limiter;
typedef struct limiter_waiter limiter_waiter;

struct limiter {
  unsigned references;
  loop_clock *time;
  token_bucket bucket;
  timer_heap queue;  /* the waiters' places; "due" is the number of their arrival */
  uint64_t arrivals; /* so far */
  timer wake;        /* when the first has its tokens */
  bool serving;
};

/* All-zero before its first use. */
struct limiter_waiter {
  timer place; /* active while it waits */
  limiter *limiter;
  double count;
  void (*on_turn)(limiter_waiter *w); /* its tokens were taken for it: use them or give them back */
};

/* A full one with one reference. NULL: out of memory. */
limiter *limiter_new(loop_clock *time, double rate, double burst);
void limiter_ref(limiter *l);
void limiter_unref(limiter *l);

/* The number of the next arrival. */
uint64_t limiter_arrive(limiter *l);

/* Takes `count` tokens for the arrival of that number. False: others are first, or there are not enough yet;
 * then `w` waits, `on_turn` being set. */
bool limiter_take(limiter *l, limiter_waiter *w, uint64_t arrival, double count);

/* Waits no longer; one that does not wait is left alone. */
void limiter_leave(limiter_waiter *w);

/* Gives tokens back that were taken and not used. */
void limiter_give_back(limiter *l, double count);

static inline bool limiter_waits(const limiter_waiter *w) { return timer_active(&w->place); }

#endif
