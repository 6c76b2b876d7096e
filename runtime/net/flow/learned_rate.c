#include "net/flow/learned_rate.h"

#include "core/loop/loop.h"

#include <math.h>

static const uint64_t FORGET = 10000 * MILLISECOND;
static const double MIN_RATE = 1, RATE_CUT = 0.7, STEP = 0.1;

/* Of a climb: above the knee it doubles in half a second, below it a request adds a sixth. */
static const double FIRST_RATE = 4, KNEE = 8.32, DOUBLING = 0.5, BY_REQUEST = 1 / 6.0, STEP_DOWN = 4;

static const double PRECISION = 0.99; /* of the rate that it shows */
static const uint64_t NOTE_SPAN = 30 * MILLISECOND;

/* Of a cubic growth: seconds, and 1/s³. */
static const double PLATEAU = 20, CUBE = 6.5e-4;

/* Of what was refused or taken. */
static const double MARGIN = 0.97, FIRST_CUT = 0.9, NEXT_CUT = 0.7;
static const double SOON = 6; /* after a hold, seconds */
static const double DEAR = 4; /* what a hold costs, seconds */
static const double VERY_DEAR = 8;
static const double RESPITE = 5; /* of a guess: so many times what a hold costs */
static const double SEVERAL = 5; /* requests */

static double in_seconds(uint64_t span) { return (double)span / NANOSECONDS; }

static double at_least(double least, double value) { return value > least ? value : least; }

static double at_most(double most, double value) { return value < most ? value : most; }

/* ---- growth ---- */

static double climbed(double rate, double seconds)
{
  double below = rate < KNEE ? (1 / rate - 1 / KNEE) / BY_REQUEST : 0;
  if (seconds < below) return 1 / (1 / rate - BY_REQUEST * seconds);
  return at_least(rate, KNEE) * exp2((seconds - below) / DOUBLING);
}

/* Each request, or where they are many, one in 30 ms. */
static void note_start(learned_rate *l, uint64_t now)
{
  l->started++;
  if (l->notes && now - l->past[l->notes % MAX_NOTES].at < NOTE_SPAN) return;
  l->past[++l->notes % MAX_NOTES] = (rate_note){.at = now, .rate = l->bucket.rate, .started = l->started};
}

/* At a time that is near `at`, before it or after it. */
static double rate_at(const learned_rate *l, uint64_t time)
{
  double seconds = time < l->at ? -in_seconds(l->at - time) : in_seconds(time - l->at);
  double beyond = in_seconds(l->at) - in_seconds(l->since) + seconds - PLATEAU;
  switch (l->growth) {
  case CLIMBS:
  case IS_GUESSED:
    return l->bucket.rate;
  case GROWS_CUBICALLY:
    return beyond > 0 ? l->known * (1 + CUBE * beyond * beyond * beyond) : l->known;
  default:
    return l->bucket.rate + l->step * seconds;
  }
}

static void begin_climb(learned_rate *l, uint64_t now)
{
  l->growth = CLIMBS;
  l->notes = l->started = 0;
  l->at = now;
}

bool learned_rate_grow(learned_rate *l, uint64_t now)
{
  uint64_t used = l->bound > l->since ? l->bound : l->since;
  if (now > used && now - used >= FORGET) return false;
  if (l->growth == IS_GUESSED && now >= l->climbs_at) begin_climb(l, now);
  if (now <= l->at || l->growth == CLIMBS || l->growth == IS_GUESSED) return true;
  token_bucket_set_rate(&l->bucket, now, rate_at(l, now));
  l->at = now;
  return true;
}

uint64_t learned_rate_due(learned_rate *l, uint64_t now, bool awaited)
{
  return token_bucket_due(&l->bucket, now, 1, awaited && !l->even);
}

/* A climb goes on with each request, by the time that the rate put between it and the one before. */
void learned_rate_take(learned_rate *l, uint64_t now)
{
  token_bucket_take(&l->bucket, 1);
  if (l->growth != CLIMBS) return;
  double rate = l->bucket.rate;
  note_start(l, now);
  token_bucket_set_rate(&l->bucket, now, climbed(rate, at_most(1 / rate, in_seconds(now - l->at))));
  l->at = now;
}

/* ---- what refusals tell ---- */

static void set_rate(learned_rate *l, uint64_t now, double rate, rate_growth growth)
{
  rate = at_least(MIN_RATE, rate);
  if (l->bucket.rate > 0)
    token_bucket_set_rate(&l->bucket, now, rate);
  else
    token_bucket_init(&l->bucket, rate, 1, now);
  l->known = rate;
  l->notes = l->started = 0;
  l->growth = growth;
  l->since = l->at = now;
}

void learned_rate_cut(learned_rate *l, uint64_t now, double rate)
{
  set_rate(l, now, rate * RATE_CUT, GROWS_IN_STEPS);
  l->step = at_least(MIN_RATE, rate * STEP);
  l->even = false;
  l->cuts = 0;
}

/* What was taken at once may be the quota of a second, or how many a server saves up. Finding out costs
 * another hold, so where holds are dear it is taken for the quota first. */
static void correct_first(learned_rate *l, uint64_t now, const hold_evidence *seen)
{
  double taken = (double)seen->first_accepted / at_least(1, in_seconds(seen->span));
  bool dear = in_seconds(seen->cost) >= DEAR;
  l->cuts = 0;
  l->sustained = 0;
  l->burst = at_least(1, (double)seen->first_accepted);
  l->even = l->burst < 2;
  l->climbs_at = now + (uint64_t)(RESPITE * (double)seen->cost);
  bool guessed = dear && l->burst >= SEVERAL;
  double least = guessed || in_seconds(seen->cost) > VERY_DEAR ? MIN_RATE : FIRST_RATE;
  set_rate(l, now, at_least(least, MARGIN * taken), guessed ? IS_GUESSED : CLIMBS);
  if (guessed) l->sustained = l->known;
}

/* What a span shows: no limit takes more than what it takes at once and what comes in meanwhile. */
static double shown_between(const learned_rate *l, const rate_note *first, const rate_note *last)
{
  double count = (double)(last->started - first->started) + 1, span = in_seconds(last->at - first->at);
  return span > 0 ? at_most(last->rate, (count - l->burst) / span) : 0;
}

/* By half a gap: a request starts a little later than the rate let it pass. */
static bool started_before(const rate_note *note, uint64_t refused_at)
{
  return note->at + loop_nanoseconds(0.5 / note->rate) < refused_at;
}

/* The most that all the spans of a climb show, before the request that started then. */
static double shown_rate(const learned_rate *l, uint64_t refused_at)
{
  size_t oldest = l->notes > MAX_NOTES ? l->notes - MAX_NOTES + 1 : 1;
  double most = 0;
  for (size_t j = oldest + 1; j <= l->notes && started_before(&l->past[j % MAX_NOTES], refused_at); j++)
    for (size_t i = oldest; i < j; i++)
      most = at_least(most, shown_between(l, &l->past[i % MAX_NOTES], &l->past[j % MAX_NOTES]));
  return most;
}

/* What the last span without a slow start shows, if as many may come in a second as were taken at once. */
static double shown_quota(const learned_rate *l, const hold_evidence *seen)
{
  const rate_note *first = NULL, *last = NULL;
  uint64_t second = seen->refused_at - loop_nanoseconds(1), since = seen->paced_since;
  if (since > second) since = second;
  for (size_t i = l->notes > MAX_NOTES ? l->notes - MAX_NOTES + 1 : 1; i <= l->notes; i++) {
    const rate_note *note = &l->past[i % MAX_NOTES];
    if (!first && note->at >= since) first = note;
    if (first && started_before(note, seen->refused_at)) last = note;
  }
  if (!last || last < first) return 0;
  double count = (double)(last->started - first->started) + 1,
         span = in_seconds(seen->refused_at - first->at);
  return at_most(l->burst, count) / at_least(1, span);
}

/* A climb whose first request was all that was taken was begun too high. Where as many were taken as at once,
 * they may be the quota of a second. */
static void correct_climb(learned_rate *l, uint64_t now, const hold_evidence *seen)
{
  double shown = PRECISION * shown_rate(l, seen->refused_at), quota = MARGIN * shown_quota(l, seen);
  l->cuts = 0;
  if (seen->first_accepted < 2 && l->even && !l->sustained)
    set_rate(l, now, l->known / STEP_DOWN, CLIMBS);
  else
    set_rate(l, now, at_least(l->sustained, at_least(quota, shown)), GROWS_CUBICALLY);
}

/* Before it climbs: what was taken for a quota is none, or it is lower by now. */
static void correct_guess(learned_rate *l, uint64_t now, const hold_evidence *seen)
{
  bool paced = seen->refused_at > seen->paced_since;
  double count = (double)seen->paced_accepted;
  double span = paced ? in_seconds(seen->refused_at - seen->paced_since) : 0;
  double quota = at_most(l->burst, count) / at_least(1, span);
  double shown = span > 0 ? at_least(quota, (count - l->burst) / span) : quota;
  set_rate(l, now, at_most(FIRST_CUT * l->bucket.rate, MARGIN * shown), GROWS_CUBICALLY);
}

void learned_rate_correct(learned_rate *l, uint64_t now, bool known, const hold_evidence *seen)
{
  double span = in_seconds(seen->span), refused = known ? rate_at(l, seen->refused_at) : 0;
  if (!known || l->growth == GROWS_IN_STEPS) {
    correct_first(l, now, seen);
  } else if (l->growth == CLIMBS) {
    correct_climb(l, now, seen);
  } else if (l->growth == IS_GUESSED && span < SOON) {
    correct_guess(l, now, seen);
  } else if (span < SOON) {
    double slower = refused * (l->cuts++ ? NEXT_CUT : FIRST_CUT);
    if (span <= 1 && !l->even) slower = at_most((double)seen->first_accepted, slower);
    set_rate(l, now, slower, GROWS_CUBICALLY);
  } else {
    l->cuts = 0;
    uint64_t before = seen->refused_at - loop_nanoseconds(1);
    set_rate(l, now, at_most(MARGIN * refused, rate_at(l, before)), GROWS_CUBICALLY);
  }
}
