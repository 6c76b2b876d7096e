#include "net/flow/throttle.h"

#include "core/container_of.h"
#include "core/loop/loop.h"

#include <stdio.h>
#include <string.h>

typedef enum { HOLD = 1, QUOTA = 2, RATE = 4, LEARNED = 8, LIMITER = 16, SLOW = 32 } throttle_part;

static const uint64_t SECOND = 1000 * MILLISECOND;
static const uint64_t MIN_SPAN = 100 * MILLISECOND;     /* to measure a rate over */
static const uint64_t SAME_WINDOW = 1500 * MILLISECOND; /* resets come in whole seconds */
static const uint64_t RECURRING = 3000 * MILLISECOND;   /* of holds by a rate */
static const uint64_t SLOW_ANSWERS = 4;                 /* that a slow start takes, one after the other */
static const uint64_t ACCEPTED_LATELY = 60000 * MILLISECOND;
static const uint64_t FIRST_GUESS = 500 * MILLISECOND, LAST_GUESS = 16000 * MILLISECOND; /* of a hold */
static const double MIN_STARTS = 10;
static const size_t MANY_REFUSED = 3;  /* of one burst: it met a rate */
static const size_t MAX_WINDOW = 4096; /* of a slow start: then it is over */

static void open_throttle(throttle *t, uint64_t now)
{
  if (!t->closed_by) return;
  t->closed_for += now - t->closed_since;
  t->closed_by = 0;
  timer_stop(&t->wait);
}

/* A request that cannot start now for want of a slot no longer waits for a rate. */
static void on_wait_over(timer *wait)
{
  throttle *t = container_of(wait, throttle, wait);
  t->on_open(t);
  uint64_t now = clock_now(t->time);
  if (t->opens_at <= now) open_throttle(t, now);
}

static void on_turn(limiter_waiter *w)
{
  throttle *t = container_of(w, throttle, turn);
  t->granted = true;
  t->on_open(t);
  if (!t->granted) return;
  t->granted = false;
  if (t->closed_by == LIMITER) open_throttle(t, clock_now(t->time));
  limiter_give_back(w->limiter, 1); /* it comes again, and by the number of its arrival will be the first */
}

void throttle_init(throttle *t, loop_clock *time, double rate, double burst, limiter *shared,
                   void (*on_open)(throttle *t))
{
  uint64_t now = clock_now(time);
  *t = (throttle){.time = time, .on_open = on_open, .shared = shared, .busy_since = now, .second_since = now};
  t->turn.on_turn = on_turn;
  t->round_since = now;
  if (rate > 0) t->parts |= RATE;
  if (rate > 0) token_bucket_init(&t->rate, rate, burst, now);
  if (shared) t->parts |= LIMITER;
}

void throttle_deinit(throttle *t)
{
  timer_stop(&t->wait);
  limiter_leave(&t->turn);
}

/* ---- how much started lately ---- */

/* What is seen from now on is evidence of the rate. */
static void watch_anew(throttle *t, uint64_t now)
{
  t->round_since = now;
  t->seen = (hold_evidence){.paced_since = now};
  t->refused = 0;
}

static void count_start(throttle *t, uint64_t now)
{
  if (now - t->second_since >= SECOND) {
    bool pause = now - t->second_since >= 2 * SECOND;
    t->last_second = pause ? 0 : t->this_second;
    t->this_second = 0;
    t->second_since = pause ? now : t->second_since + SECOND;
    if (pause) t->busy_since = now;
    if (pause) watch_anew(t, now);
  }
  t->this_second++;
}

/* A second; 0 when there were too few to tell. */
static double recent_rate(const throttle *t, uint64_t now)
{
  double count = (double)t->this_second + t->last_second;
  uint64_t span = now - t->second_since + SECOND;
  if (now - t->busy_since < span) span = now - t->busy_since;
  if (span < MIN_SPAN) span = MIN_SPAN;
  return count < MIN_STARTS ? 0 : count / ((double)span / NANOSECONDS);
}

/* ---- the parts ---- */

static void drop(throttle *t, unsigned parts) { t->parts &= (uint16_t)~parts; }

/* Lets the learned rate grow, but not while nothing is sent; false: there is none, or it is no longer needed.
 */
static bool grow_learned(throttle *t, uint64_t now)
{
  if (!(t->parts & LEARNED)) return false;
  if (!learned_rate_grow(&t->learned, t->parts & HOLD ? t->held_since : now)) drop(t, LEARNED);
  return t->parts & LEARNED;
}

/* Whether what was refused before the hold met a rate: some were accepted, and many were refused or it is not
 * the first hold. */
static bool met_rate(const throttle *t)
{
  if (!t->refused || !t->seen.accepted) return false;
  if (t->parts & LEARNED || t->refused >= MANY_REFUSED) return true;
  return t->recurs;
}

/* The hold is over: only now the answers to what started before it have come, and are evidence, too. */
static void end_hold(throttle *t, uint64_t now)
{
  bool known = grow_learned(t, now);
  drop(t, HOLD);
  if (met_rate(t)) {
    if (!known) t->learned = (learned_rate){0};
    learned_rate_correct(&t->learned, now, known, &t->seen);
    t->parts |= LEARNED;
  }
  watch_anew(t, now);
}

static uint64_t half_or(uint64_t window, uint64_t most) { return window / 2 < most ? window / 2 : most; }

/* The next window begins, or there is none. */
static void renew_quota(throttle *t, uint64_t now)
{
  if (!t->quota_limit) {
    drop(t, QUOTA);
    return;
  }
  uint64_t missed = (now - t->quota_until) / t->quota_window;
  t->quota_until += (missed + 1) * t->quota_window;
  t->quota_least = t->quota_limit;
  t->quota_left = t->quota_limit - (double)t->unread;
}

static uint64_t quota_due(throttle *t, uint64_t now)
{
  if (now >= t->quota_until) renew_quota(t, now);
  bool wait = t->quota_left < 1 && t->quota_until - now <= t->quota_patience;
  return now < t->quota_until && wait ? t->quota_until : now;
}

/* When this part lets the next one through. */
static uint64_t part_due(throttle *t, throttle_part part, uint64_t now)
{
  bool awaited = t->closed_by == part;
  switch (part) {
  case HOLD:
    if (t->held_until <= now) end_hold(t, now);
    return t->held_until;
  case SLOW:
    return t->in_window < t->window ? now : UINT64_MAX;
  case QUOTA:
    return quota_due(t, now);
  case RATE:
    return token_bucket_due(&t->rate, now, 1, awaited);
  case LEARNED:
    return grow_learned(t, now) ? learned_rate_due(&t->learned, now, awaited) : now;
  default:
    return now;
  }
}

static void close_throttle(throttle *t, throttle_part part, uint64_t now, uint64_t opens_at)
{
  if (!t->closed_by) t->closed_since = now;
  t->closed_by = (uint16_t)part;
  t->opens_at = opens_at;
  if (part == LEARNED) t->learned.bound = now;
  if (opens_at == UINT64_MAX) return;
  bool precise = part == RATE || part == LEARNED; /* the waits follow each other, and errors would add up */
  (precise ? clock_start_precise : clock_start)(t->time, &t->wait, opens_at, on_wait_over);
}

/* The limiter comes last, because asking it is taking. */
static bool pass_limiter(throttle *t, uint64_t arrival, uint64_t now)
{
  bool waits = limiter_waits(&t->turn); /* for one that came before */
  bool passed = !waits && (t->granted || limiter_take(t->shared, &t->turn, arrival, 1));
  t->granted = false;
  if (!passed) close_throttle(t, LIMITER, now, UINT64_MAX);
  return passed;
}

/* From now on the rate alone decides, unless one more waits for the slow start. */
static void note_pace(throttle *t, uint64_t now)
{
  if (t->refused) return;
  t->seen.paced_since = now;
  t->seen.paced_accepted = 0;
}

static bool pass_parts(throttle *t, uint64_t arrival, uint64_t now)
{
  static const throttle_part timed[] = {HOLD, SLOW, QUOTA, RATE, LEARNED};
  for (size_t i = 0; i < sizeof timed / sizeof *timed; i++) {
    if (!(t->parts & timed[i])) continue;
    uint64_t due = part_due(t, timed[i], now);
    if (due <= now) continue;
    close_throttle(t, timed[i], now, due);
    if (timed[i] == SLOW) t->waited = true;
    return false;
  }
  if (t->shared && !pass_limiter(t, arrival, now)) return false;
  if (t->parts & RATE) token_bucket_take(&t->rate, 1);
  if (t->parts & LEARNED) learned_rate_take(&t->learned, now);
  if (t->parts & QUOTA) t->quota_left -= 1;
  if (t->parts & SLOW) t->in_window++;
  if (t->waited) note_pace(t, now);
  t->waited = false;
  open_throttle(t, now);
  return true;
}

bool throttle_pass(throttle *t, uint64_t arrival)
{
  uint64_t now = clock_now(t->time);
  /* While one waits, thousands may come: for these nothing has to be computed. */
  if (t->closed_by && t->closed_by != LIMITER && now < t->opens_at) return false;
  if (t->parts && !pass_parts(t, arrival, now)) return false;
  if (!t->parts) open_throttle(t, now);
  count_start(t, now);
  t->unread++;
  return true;
}

void throttle_rest(throttle *t)
{
  limiter_leave(&t->turn);
  open_throttle(t, clock_now(t->time));
}

/* What closes it has changed: the pool is to ask again for those that wait. */
static void reconsider(throttle *t)
{
  if (!t->closed_by) return;
  t->opens_at = 0;
  t->on_open(t);
}

static uint32_t short_time(uint64_t time) { return (uint32_t)(time >> 20); }

uint32_t throttle_time(const throttle *t) { return short_time(clock_now(t->time)); }

static void count_accepted(throttle *t, uint32_t passed_at)
{
  t->seen.accepted++;
  bool later = t->refused && (int32_t)(passed_at - short_time(t->seen.refused_at)) > 0;
  if (later) return;
  t->seen.first_accepted++;
  if ((int32_t)(passed_at - short_time(t->seen.paced_since)) >= 0) t->seen.paced_accepted++;
}

/* What is accepted while others are refused is no limit but chance. */
static void note_accepted(throttle *t, uint32_t passed_at)
{
  t->accepted_at = clock_now(t->time);
  t->guesses = 0;
  if ((int32_t)(passed_at - t->first_in_turn) >= 0) t->in_turn = 0;
}

bool throttle_answered(throttle *t, uint32_t round, uint32_t passed_at, bool accepted)
{
  t->unread--;
  bool held = t->parts & HOLD;
  if (accepted) note_accepted(t, passed_at);
  if (accepted && round + held == t->round) count_accepted(t, passed_at);
  if (round != t->round) return false;
  if (!(t->parts & SLOW)) return false;
  t->in_window--;
  if (accepted) t->window *= 2;
  if (t->window > MAX_WINDOW) drop(t, SLOW);
  if (t->closed_by != SLOW) return false;
  t->opens_at = 0;
  return true;
}

/* ---- what servers say ---- */

/* The request that was refused started `age` nanoseconds ago. What started before the last hold is no news.
 */
static void count_refusal(throttle *t, uint64_t now, uint64_t age)
{
  uint64_t started = now - age;
  if (started < t->round_since) return;
  bool earliest = !t->refused++ || started < t->seen.refused_at;
  if (!earliest) return;
  if (!(t->parts & HOLD)) t->recurs = t->round && started - t->held_until <= RECURRING + SLOW_ANSWERS * age;
  t->seen.refused_at = started;
  t->seen.span = started - t->round_since;
}

static void begin_hold(throttle *t, uint64_t now)
{
  t->held_since = now;
  t->parts |= HOLD | SLOW;
  t->round++;
  t->window = 1;
  t->in_window = 0;
}

static void give_up_hold(throttle *t, uint64_t now)
{
  drop(t, HOLD | SLOW);
  t->held_until = now;
  t->round++;
  watch_anew(t, now);
  reconsider(t);
}

bool throttle_hold(throttle *t, double seconds, const char *why, uint64_t age)
{
  uint64_t now = clock_now(t->time), until = now + loop_nanoseconds(seconds);
  if (t->parts & HOLD && t->held_until <= now) end_hold(t, now);
  uint64_t before = t->parts & HOLD ? t->held_until : 0;
  if (seconds <= 0) {
    give_up_hold(t, now);
    return false;
  }
  count_refusal(t, now, age);
  t->seen.cost = until - now + SLOW_ANSWERS * age;
  if (until <= before) return false;
  if (!before) begin_hold(t, now);
  t->held_until = until;
  t->guessed = false;
  snprintf(t->held_by, sizeof t->held_by, "%s", why);
  reconsider(t);
  return until > before + SECOND;
}

/* A first request that is refused after such a hold makes the next one longer. */
static double next_guess(throttle *t, double patience)
{
  uint64_t wait = FIRST_GUESS << t->guesses;
  if (wait < LAST_GUESS) t->guesses++;
  double seconds = (double)wait / NANOSECONDS;
  return seconds < patience ? seconds : patience;
}

/* The refused ones that no accepted one has started among. */
static void count_in_turn(throttle *t, uint32_t started)
{
  if (!t->in_turn++ || (int32_t)(started - t->first_in_turn) < 0) t->first_in_turn = started;
}

static unasked_wait one_waits(const throttle *t)
{
  double seconds = t->parts & LEARNED ? (double)FIRST_GUESS / NANOSECONDS : 0;
  return (unasked_wait){.seconds = seconds};
}

unasked_wait throttle_hold_unasked(throttle *t, uint64_t age, bool others, double patience)
{
  uint64_t now = clock_now(t->time);
  if (t->parts & HOLD && t->held_until <= now) end_hold(t, now);
  bool held = t->parts & HOLD, lately = t->accepted_at && now - t->accepted_at <= ACCEPTED_LATELY;
  if (!lately || !(others || held || t->unread)) return (unasked_wait){0};
  count_in_turn(t, short_time(now - age));
  if (held) {
    count_refusal(t, now, age);
    return (unasked_wait){.seconds = throttle_held(t), .all = true};
  }
  size_t several = t->unread ? MANY_REFUSED : 2; /* there may be no third one */
  if (t->in_turn < several && !t->guesses) return one_waits(t);
  unasked_wait wait = {.seconds = next_guess(t, patience), .all = true, .is_new = true};
  throttle_hold(t, wait.seconds, "refusals", age);
  t->guessed = true;
  return wait;
}

/* How long windows are: as stated, or as the longest time to a reset that was seen. */
static void learn_window(throttle *t, const throttle_quota *said, uint64_t reset)
{
  if (!(t->parts & QUOTA)) t->quota_limit = t->quota_window = 0;
  if (said->limit > 0) t->quota_limit = said->limit;
  if (said->window > 0)
    t->quota_window = loop_nanoseconds(said->window);
  else if (reset > t->quota_window)
    t->quota_window = reset;
  if (t->quota_window < SECOND) t->quota_window = SECOND;
}

bool throttle_set_quota(throttle *t, const throttle_quota *said, double patience)
{
  uint64_t now = clock_now(t->time), reset = loop_nanoseconds(said->reset), until = now + reset;
  if (t->parts & QUOTA && now >= t->quota_until) renew_quota(t, now);
  /* An answer of the window before, which another one has overtaken. */
  if (t->parts & QUOTA && t->quota_limit && until + half_or(t->quota_window, SAME_WINDOW) < t->quota_until)
    return false;
  learn_window(t, said, reset);
  bool same = t->parts & QUOTA && now < t->quota_until && until <= t->quota_until + SAME_WINDOW;
  bool waited = same && quota_due(t, now) > now;
  /* Answers overtake each other: within one window the least of what was said is what is known. */
  t->quota_least = same && t->quota_least < said->remaining ? t->quota_least : said->remaining;
  t->quota_until = same && t->quota_until > until ? t->quota_until : until;
  t->quota_left = t->quota_least - (double)t->unread;
  t->quota_patience = loop_nanoseconds(patience);
  t->parts |= QUOTA;
  bool waits = quota_due(t, now) > now;
  reconsider(t);
  return waits && !waited;
}

bool throttle_slow_down(throttle *t, uint64_t age)
{
  uint64_t now = clock_now(t->time);
  double rate = recent_rate(t, now), learned = throttle_learned_rate(t);
  if (learned > 0 && (now - age <= t->learned.since || now - t->learned.since < SECOND)) return false;
  if (learned > 0 && (!rate || learned < rate)) rate = learned;
  if (!rate) return false;
  if (!learned) t->learned = (learned_rate){0};
  learned_rate_cut(&t->learned, now, rate);
  t->parts |= LEARNED;
  reconsider(t);
  return true;
}

/* ---- what is told of it ---- */

uint64_t throttle_closed_time(const throttle *t)
{
  return t->closed_for + (t->closed_by ? clock_now(t->time) - t->closed_since : 0);
}

bool throttle_is_fresh(throttle *t)
{
  uint64_t now = clock_now(t->time);
  if (t->parts & HOLD && t->held_until > now) return false;
  if (t->parts & SLOW || t->unread) return false;
  if (t->parts & QUOTA && t->quota_until + (t->quota_limit ? t->quota_window : 0) > now) return false;
  if (grow_learned(t, now)) return false;
  return !(t->parts & RATE) || token_bucket_full(&t->rate, now);
}

double throttle_held(const throttle *t)
{
  uint64_t now = clock_now(t->time);
  bool held = t->parts & HOLD && t->held_until > now;
  return held ? (double)(t->held_until - now) / NANOSECONDS : 0;
}

double throttle_learned_rate(throttle *t)
{
  return grow_learned(t, clock_now(t->time)) ? t->learned.bucket.rate : 0;
}

double throttle_quota_left(const throttle *t)
{
  if (!(t->parts & QUOTA) || t->quota_until <= clock_now(t->time)) return -1;
  return t->quota_left > 0 ? t->quota_left : 0;
}

void throttle_describe_hold(const throttle *t, char *text, size_t size)
{
  snprintf(text, size, "held by %s for %.3g s more", t->held_by, throttle_held(t));
}

void throttle_describe(const throttle *t, char *text, size_t size)
{
  uint64_t now = clock_now(t->time);
  double left = t->opens_at > now ? (double)(t->opens_at - now) / NANOSECONDS : 0;
  *text = 0;
  switch (t->closed_by) {
  case HOLD:
    throttle_describe_hold(t, text, size);
    break;
  case SLOW:
    snprintf(text, size, "held until the first requests after a hold by %s are answered", t->held_by);
    break;
  case QUOTA:
    snprintf(text, size, "held for %.3g s more because the server's quota is used up", left);
    break;
  case RATE:
    snprintf(text, size, "held by its rate of %.3g/s", t->rate.rate);
    break;
  case LEARNED:
    snprintf(text, size, "held by a rate of %.3g/s, learned from refusals", t->learned.bucket.rate);
    break;
  case LIMITER:
    snprintf(text, size, "held by a shared limiter of %.3g/s", t->shared->bucket.rate);
    break;
  default:
    break;
  }
}
