/* How many requests an origin should have at once, found out from how it answers: limits.per_origin = "auto".
 *
 * The algorithm is the gradient one of Netflix's concurrency-limits (github.com/Netflix/concurrency-limits,
 * Gradient), which comes from TCP Vegas (Brakmo and Peterson, 1995): beyond what a server does side by side,
 * more requests at once only make each take longer. It goes in rounds, each over as many requests as may run
 * at once (at least 8) that all started in it. With the round's mean time to the first byte,
 *
 *   limit' = limit * gradient + sqrt(limit)      gradient = base / mean, from 0.5 to 1
 *
 * and the limit moves half of the way there; so it settles where about sqrt(limit) requests queue up in the
 * server. `base` is what a request takes without much load: the least mean of a round, measured anew every
 * 10 s (after 30 rounds at least) as BBR does: at half the limit, one round to let the queue run empty, one
 * to measure. At first the limit doubles each round (slow start) while the gradient is above 0.9. When more
 * than a fifth of a round's requests are refused (429, 503), time out or get no connection, the limit is cut
 * at once to 0.7 of what it was: fewer are failures, which happen at any limit. A round that did not use half
 * the limit says nothing. O(1) per request. */
#ifndef LURCHER_NET_ADAPTIVE_H
#define LURCHER_NET_ADAPTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  double limit, most;
  double base;             /* nanoseconds; 0: not known yet */
  double sum;              /* of the round's samples, nanoseconds */
  unsigned samples;        /* in the round */
  unsigned overloads;      /* in the round, beside them */
  unsigned rounds;         /* since `base` was measured anew */
  size_t peak;             /* requests at once in the round */
  uint64_t round_since;    /* samples of requests that started before do not count */
  uint64_t measured_since; /* `base` */
  uint64_t last;           /* sample */
  double after_probe;      /* the limit to go back to */
  unsigned probe;          /* rounds left of a probe; 0: the round is none */
  bool starting;
} adaptive;

/* `most`: it never gets above. */
void adaptive_init(adaptive *a, size_t most, uint64_t now);

/* The limit now, at least 1. */
size_t adaptive_slots(const adaptive *a);

/* A request ended that took `latency` to its first byte, had started `age` ago, and was one of `in_flight`;
 * nanoseconds. */
void adaptive_sample(adaptive *a, uint64_t now, uint64_t age, uint64_t latency, size_t in_flight);

/* One ended that says that there are too many. */
void adaptive_overload(adaptive *a, uint64_t now, uint64_t age);

#endif
