/* When the next request of an origin may start, as far as rates are concerned; slots are the pool's affair.
 * It has to pass all that is closed at times:
 *
 *   hold      the server asked to be left alone until then (Retry-After)
 *   quota     the server said how many it will take until then (RateLimit headers)
 *   rate      the script's own limits.rate and burst
 *   learned   a rate found out from refusals that gave no hint, see gate_slow_down
 *   limiter   a rate shared with other clients and tasks
 *
 * A closed gate opens by itself: one timer, or a place in the limiter's queue, and `on_open` is called. */
#ifndef LURCHER_NET_GATE_H
#define LURCHER_NET_GATE_H

#include "net/flow/limiter.h"

#include <stddef.h>

typedef struct gate gate;

enum { GATE_REASON_SIZE = 24 };

struct gate {
  loop_clock *time;
  void (*on_open)(gate *g); /* a request may ask again */
  uint16_t parts;           /* gate_part bits: what there is to pass at all */
  uint16_t closed_by;       /* one of them; 0: open */
  bool granted;             /* the limiter has taken a token for the one that asks next */
  uint64_t opens_at;        /* while it is closed; UINT64_MAX: not by time */
  uint64_t closed_since, closed_for;
  timer wait;

  uint64_t held_until;
  char held_by[GATE_REASON_SIZE];

  uint64_t quota_until, quota_patience;
  double quota_least; /* what the server said was left, the least of what it said */
  double quota_left;

  token_bucket rate, learned;
  double learned_step;              /* requests a second, gained each second */
  uint64_t learned_at, learned_cut; /* rate last set, cut */
  uint64_t learned_bound;           /* last time that somebody had to wait for it */

  limiter *shared;
  limiter_waiter turn;

  /* How many started in the second that runs and in the one before it. */
  uint64_t busy_since, second_since;
  uint32_t this_second, last_second;
};

/* `rate` 0: none; `shared` NULL: none, else it has to live longer. */
void gate_init(gate *g, loop_clock *time, double rate, double burst, limiter *shared,
               void (*on_open)(gate *g));
void gate_deinit(gate *g);

/* Lets a request through that came as number `arrival` of the limiter (or as any, without one), and counts
 * it. False: `on_open` is called when it may ask again. */
bool gate_pass(gate *g, uint64_t arrival);

/* Nobody wants to pass any more. */
void gate_rest(gate *g);

/* Nobody may pass before `seconds` are over; 0: at once. A later end that was set before stays, unless
 * `seconds` is 0. True: that is news, by more than the second that dates are exact to. */
bool gate_hold(gate *g, double seconds, const char *why);

/* The server said that `remaining` more may come before `reset` seconds are over; of `unread` that
 * started the answer was not looked at yet: it may or may not have counted them. Nobody is made to wait for
 * more than `patience` seconds. True: from now on the next one has to wait.
 */
bool gate_set_quota(gate *g, double remaining, double reset, size_t unread, double patience);

/* The server refused a request that started `age` nanoseconds ago, and gave no hint. From now on the rate is
 * 0.7 of what it was, but at least one a second, and grows again by a tenth of what it was each second (at
 * least by one); the rate that was is the one measured over the last second or two, or the learned one when
 * that is less. It ends when nobody had to wait for it in 10 s. Fewer than 10 requests in that time are too
 * few to measure; one cut a second is enough, and only for a request that started after the last. True: it
 * was cut. (Additive increase, multiplicative decrease: Chiu and Jain, 1989.) */
bool gate_slow_down(gate *g, uint64_t age);

/* How long it was closed so far while somebody wanted to pass, nanoseconds. */
uint64_t gate_closed_time(const gate *g);

/* Whether it can be forgotten: a new one would do the same. */
bool gate_is_fresh(gate *g);

/* What a request at the closed gate waits for, in words; "" while it is open. */
void gate_describe(const gate *g, char *text, size_t size);

/* Seconds for which it is held; 0: not. */
double gate_held(const gate *g);

/* The learned rate; 0: none. */
double gate_learned_rate(gate *g);

/* What is left of the quota; negative: there is none. */
double gate_quota_left(const gate *g);

#endif
