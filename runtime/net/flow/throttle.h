/* Rate control of one origin. (How many requests run at once is decided in pool.c.) A request has to pass all
 * of these:
 *
 *   hold      the server asked to be left alone until then (Retry-After)
 *   slow      after a hold: one, then twice as many unanswered ones with each answer that is no refusal
 *   quota     the server said how many it will take until then (RateLimit headers)
 *   rate      the script's own limits.rate and burst
 *   learned   a rate found out from refusals, see learned_rate.h
 *   limiter   a rate shared with other clients and tasks
 *
 * A closed throttle opens by itself: one timer, or a place in the limiter's queue, and `on_open` is called.
 */
#ifndef LURCHER_NET_THROTTLE_H
#define LURCHER_NET_THROTTLE_H

#include "net/flow/learned_rate.h"
#include "net/flow/limiter.h"

#include <stddef.h>

typedef struct throttle throttle;

enum { THROTTLE_REASON_SIZE = 24 };

struct throttle {
  loop_clock *time;
  void (*on_open)(throttle *t); /* a request may ask again */
  uint16_t parts;               /* throttle_part bits: what there is to pass at all */
  uint16_t closed_by;           /* one of them; 0: open */
  bool granted;                 /* the limiter has taken a token for the one that asks next */
  uint64_t opens_at;            /* while it is closed; UINT64_MAX: not by time */
  uint64_t closed_since, closed_for;
  timer wait;

  size_t unread; /* requests that passed and whose answer was not looked at yet */

  uint64_t held_since, held_until;
  char held_by[THROTTLE_REASON_SIZE];
  bool guessed;         /* nobody asked for that hold: see throttle_hold_unasked */
  unsigned guesses;     /* of these, one after the other, since a request was accepted: */
  uint64_t accepted_at; /* 0: none was */
  unsigned in_turn; /* refusals without a hint, since a request was accepted that started after the first: */
  uint32_t first_in_turn; /* throttle_time of its start */

  uint32_t round;           /* counts holds, so that answers to what started before one do not count */
  size_t window, in_window; /* of this round: how many may be unanswered, and how many are */
  bool waited;              /* the one that asks next, for the answers of these */

  /* What this round, or while it holds the one before, tells of the rate. */
  uint64_t round_since;
  bool recurs;    /* the refusal came soon after a hold */
  size_t refused; /* by a hold */
  hold_evidence seen;

  uint64_t quota_until, quota_patience;
  double quota_least; /* what the server said was left, the least of what it said */
  double quota_left;
  double quota_limit;    /* of a whole window; 0: not known */
  uint64_t quota_window; /* its length, as stated or as the longest reset that was seen */

  token_bucket rate;
  learned_rate learned;

  limiter *shared;
  limiter_waiter turn;

  /* How many started in the second that runs and in the one before it. */
  uint64_t busy_since, second_since;
  uint32_t this_second, last_second;
};

/* `rate` 0: none; `shared` NULL: none, else it has to live longer. */
void throttle_init(throttle *t, loop_clock *time, double rate, double burst, limiter *shared,
                   void (*on_open)(throttle *t));
void throttle_deinit(throttle *t);

/* Lets a request through that came as number `arrival` of the limiter (or as any, without one), and counts
 * it as unread, until throttle_answered. False: `on_open` is called when it may ask again. */
bool throttle_pass(throttle *t, uint64_t arrival);

/* Now, in 4 bytes: units of a millisecond and a bit, that begin again from 0 after 52 days. */
uint32_t throttle_time(const throttle *t);

/* The answer to a request that passed in that `round` (t->round, then) and at that throttle_time was looked
 * at, or there is none. `accepted`: it is an answer, and no refusal. True: whoever waits may ask again, but
 * `on_open` is not called. */
bool throttle_answered(throttle *t, uint32_t round, uint32_t passed_at, bool accepted);

/* No request waits to pass any more. */
void throttle_rest(throttle *t);

/* Nobody may pass before `seconds` are over; 0: at once. A later end that was set before stays, unless
 * `seconds` is 0. After it requests start slowly: all at once would only be refused again. Many that are
 * refused at once, and a hold soon after another, are what a rate limit does: from its end on requests come
 * at a learned rate. `age`: nanoseconds since the request started that was refused. True: that is news, by
 * more than the second that dates are exact to. */
bool throttle_hold(throttle *t, double seconds, const char *why, uint64_t age);

/* How long to wait for a rate that the server keeps and does not tell of. */
typedef struct {
  double seconds; /* 0: not at all */
  bool all;       /* it is a hold, */
  bool is_new;    /* which begins now */
} unasked_wait;

/* The server refused a request that started `age` nanoseconds ago, and gave no hint. Several in turn, with
 * none accepted among them, are what a rate does: then this is a hold of half a second, twice as long each
 * time that nothing was accepted since. One alone waits where there is a learned rate, which
 * throttle_slow_down may cut. `others`: there are some that wait. Nobody waits for longer than `patience`. A
 * script that has one request at a time waits for nothing here, nor does one of which nothing was accepted
 * for so long that this may be no rate at all. */
unasked_wait throttle_hold_unasked(throttle *t, uint64_t age, bool others, double patience);

/* What a server says of its quota. */
typedef struct {
  double remaining, reset; /* so many more may come before so many seconds are over */
  double limit, window;    /* so many in so many seconds; 0: not said */
} throttle_quota;

/* The server said that. Of those unread it may or may not have counted; they are taken for not counted. With
 * a limit it holds in the windows to come, too, until the server says otherwise. Nobody is made to wait for
 * more than `patience` seconds. True: from now on the next one has to wait. */
bool throttle_set_quota(throttle *t, const throttle_quota *said, double patience);

/* The server refused a request that started `age` nanoseconds ago, and gave no hint. From now on the rate is
 * 0.7 of what it was, but at least one a second, and grows again by a tenth of what it was each second (at
 * least by one); the rate that was is the one measured over the last second or two, or the learned one when
 * that is less. It ends when nobody had to wait for it in 10 s. Fewer than 10 requests in that time are too
 * few to measure; one cut a second is enough, and only for a request that started after the last. True: it
 * was cut. (Additive increase, multiplicative decrease: Chiu and Jain, 1989.) */
bool throttle_slow_down(throttle *t, uint64_t age);

/* How long it was closed so far while requests waited, nanoseconds. */
uint64_t throttle_closed_time(const throttle *t);

/* Whether it has no hold, quota or learned rate and its bucket is full: a new one would do the same. */
bool throttle_is_fresh(throttle *t);

/* What a request at the closed throttle waits for, in words; "" while it is open. */
void throttle_describe(const throttle *t, char *text, size_t size);

/* The same for a hold, whether it closes the throttle just now or not. */
void throttle_describe_hold(const throttle *t, char *text, size_t size);

/* Seconds for which it is held; 0: not. */
double throttle_held(const throttle *t);

/* The learned rate; 0: none. */
double throttle_learned_rate(throttle *t);

/* What is left of the quota; negative: there is none. */
double throttle_quota_left(const throttle *t);

#endif
