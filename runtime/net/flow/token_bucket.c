#include "net/flow/token_bucket.h"

#include <math.h>

static const double NANOSECOND = 1e-9;
static const double MAX_WAIT = 9e18; /* nanoseconds */

/* What is made up for, when it is more than one token: seconds. */
static const double LATENESS = 0.001;

/* Sums of fractions miss the whole number they should give by this at most. */
static const double ROUNDING = 1e-6;

/* Called twice within one moment it loses nothing: the second caller may take what was saved for the first.
 */
static void fill(token_bucket *b, uint64_t now, double most)
{
  if (now <= b->at) return;
  b->tokens += (double)(now - b->at) * NANOSECOND * b->rate;
  b->at = now;
  if (b->tokens > most) b->tokens = most;
}

void token_bucket_init(token_bucket *b, double rate, double burst, uint64_t now)
{
  *b = (token_bucket){.rate = rate, .burst = burst, .tokens = burst, .at = now};
}

uint64_t token_bucket_due(token_bucket *b, uint64_t now, double count, bool awaited)
{
  double most = awaited ? count + fmax(1, b->rate * LATENESS) : 0;
  fill(b, now, fmax(most, b->burst));
  if (b->tokens >= count - ROUNDING) return now;
  double wait = ceil((count - b->tokens) / b->rate / NANOSECOND);
  return wait < MAX_WAIT ? now + (uint64_t)wait : UINT64_MAX;
}

void token_bucket_take(token_bucket *b, double count)
{
  b->tokens -= count;
  if (fabs(b->tokens) < ROUNDING) b->tokens = 0;
}

void token_bucket_give_back(token_bucket *b, double count)
{
  b->tokens += count;
  double most = b->burst > count ? b->burst : count;
  if (b->tokens > most + 1) b->tokens = most + 1;
}

void token_bucket_set_rate(token_bucket *b, uint64_t now, double rate)
{
  fill(b, now, b->tokens > b->burst ? b->tokens : b->burst);
  b->rate = rate;
}

bool token_bucket_full(token_bucket *b, uint64_t now)
{
  fill(b, now, b->burst);
  return b->tokens >= b->burst;
}
