/* A rate with bursts, exactly: tokens come in at `rate` a second, at most `burst` of them are saved, and who
 * takes some has to find them there. So in any span of t seconds at most burst + rate * t are taken.
 *
 * Whoever waits for tokens wakes up a little late. With a burst of 1 that time would be lost each time, so
 * while somebody waits, up to one token more than is waited for is saved (above 1,000 a second, what comes in
 * during 1 ms): lateness is made up for, and after a pause there is still only `burst`. */
#ifndef LURCHER_CORE_TOKEN_BUCKET_H
#define LURCHER_CORE_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  double rate;   /* tokens a second, above 0 */
  double burst;  /* at least 1 */
  double tokens; /* at the time `at` */
  uint64_t at;   /* nanoseconds */
} token_bucket;

/* A full bucket. */
void token_bucket_init(token_bucket *b, double rate, double burst, uint64_t now);

/* The time at which `count` tokens will be there: `now` when they are. `awaited`: they were being waited for
 * since the last call. More than `burst` of them are saved up for whoever waits. */
uint64_t token_bucket_due(token_bucket *b, uint64_t now, double count, bool awaited);

/* Takes tokens, right after token_bucket_due said that they are there. */
void token_bucket_take(token_bucket *b, double count);

/* Gives tokens back that were not used. */
void token_bucket_give_back(token_bucket *b, double count);

/* Another rate from now on. */
void token_bucket_set_rate(token_bucket *b, uint64_t now, double rate);

/* Whether it is as good as new. */
bool token_bucket_full(token_bucket *b, uint64_t now);

#endif
