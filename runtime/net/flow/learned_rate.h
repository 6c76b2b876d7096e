/* The rate of an origin, found out from its refusals. It grows in one of four ways.
 *
 * In steps, after refusals without a hint, which cost little: additive increase, multiplicative decrease
 * (Chiu and Jain, 1989). See learned_rate_cut.
 *
 * It climbs, after the first hold by Retry-After: by a sixth with each request, at most twofold in half a
 * second, until the next refusal. A hold costs all that could be sent until its end, so there should be no
 * third one: the first tells how many the server takes at once, and no limit takes more in any span than
 * these and what comes in meanwhile. The most that a span of the climb shows is the rate. Where as many were
 * taken as the first time, they may be the quota of a second, too.
 *
 * It is guessed, where holds are dear because answers take long: what was taken at once is taken for the
 * quota of a second. No server that keeps such a quota can be told from one that saves up as many, at
 * whatever rate, but by one more refusal. So that this costs a sixth of the time at most, it stays for five
 * times as long as a hold costs, and then climbs. A guess that is refused before is replaced by what was
 * accepted beyond the first.
 *
 * By the cube of time, once it is known: it stays for 20 s, and then grows as that of TCP CUBIC does beyond
 * the last refusal (RFC 9438), past its double 12 s later. So an unchanged limit is met rarely and slowly,
 * and a new one is still found. A refusal soon after a hold cuts it to 0.9, each further one to 0.7: the
 * limit has become lower. A later one cuts it to 0.97.
 *
 * The time of answers counts nowhere: what a request meets is the limit at the time of its start. */
#ifndef LURCHER_NET_LEARNED_RATE_H
#define LURCHER_NET_LEARNED_RATE_H

#include "net/flow/token_bucket.h"

#include <stddef.h>

typedef enum { GROWS_IN_STEPS, IS_GUESSED, CLIMBS, GROWS_CUBICALLY } rate_growth;

/* So many had started with that one. */
typedef struct {
  uint64_t at;
  double rate; /* it started so long after the one before it as that says */
  size_t started;
} rate_note;

enum { MAX_NOTES = 64 };

typedef struct {
  token_bucket bucket; /* with the rate of the time `at` */
  rate_growth growth;
  bool even;          /* waits are not made up for: the server takes no two at once */
  double burst;       /* what it took at once */
  double known;       /* the rate that a cubic growth starts from */
  double sustained;   /* a guess that was never refused; 0: none */
  uint64_t climbs_at; /* a guess */
  double step;        /* requests a second, gained each second */
  uint64_t since;     /* the rate was set, or the hold then ended */
  uint64_t at;
  uint64_t bound;        /* last time that a request had to wait for it */
  size_t started, notes; /* of this climb; the last notes are kept, each at its number modulo MAX_NOTES */
  rate_note past[MAX_NOTES];
  unsigned cuts; /* by refusals soon after holds, one after the other */
} learned_rate;

/* What was seen from the end of one hold to that of the next. */
typedef struct {
  size_t accepted;       /* requests */
  size_t first_accepted; /* of these, that started no later than the first that was refused */
  uint64_t span;         /* from the start to that of the first request that was refused */
  uint64_t cost;         /* of a hold, with the answers of the slow start after it */
  uint64_t refused_at;   /* when that one started */
  size_t paced_accepted; /* of the first, since then: */
  uint64_t paced_since;  /* the slow start let the last one through that waited for it */
} hold_evidence;

/* A server that gave no hint refused `rate`: from now on 0.7 of it, and a tenth of it more each second. */
void learned_rate_cut(learned_rate *l, uint64_t now, double rate);

/* At the end of a hold; `known`: there is a rate already. Some were accepted. */
void learned_rate_correct(learned_rate *l, uint64_t now, bool known, const hold_evidence *seen);

/* Lets it grow. False: nobody had to wait for it in 10 s, it is no longer needed. */
bool learned_rate_grow(learned_rate *l, uint64_t now);

/* When the next request may start; `awaited` as for token_bucket_due. */
uint64_t learned_rate_due(learned_rate *l, uint64_t now, bool awaited);

void learned_rate_take(learned_rate *l, uint64_t now);

#endif
