/* Rate control of one origin, on a clock that the test sets. */
#include "net/flow/throttle.h"

#include "core/loop/loop.h"
#include "support/unit.h"

static const uint64_t SECOND = 1000 * MILLISECOND;

static loop_clock time_of_test;
static unsigned opened;

static void on_open(throttle *t)
{
  (void)t;
  opened++;
}

static throttle make(double rate, double burst)
{
  throttle t;
  opened = 0;
  time_of_test.now = 100 * SECOND;
  throttle_init(&t, &time_of_test, rate, burst, NULL, on_open);
  return t;
}

static void pass_time(uint64_t nanoseconds)
{
  time_of_test.now += nanoseconds;
  clock_fire(&time_of_test);
}

static void lets_all_through_when_nothing_limits_them(void)
{
  throttle t = make(0, 1);
  for (int i = 0; i < 1000; i++) check(throttle_pass(&t, 1));
  check(throttle_closed_time(&t) == 0 && !throttle_is_fresh(&t));
  for (int i = 0; i < 1000; i++) throttle_answered(&t, t.round, throttle_time(&t), true);
  check(throttle_is_fresh(&t));
  throttle_deinit(&t);
}

static void keeps_a_rate_with_bursts(void)
{
  throttle t = make(10, 2);
  check(throttle_pass(&t, 1) && throttle_pass(&t, 2));
  check(!throttle_pass(&t, 3) && !throttle_is_fresh(&t));
  pass_time(99 * MILLISECOND);
  check(opened == 0 && !throttle_pass(&t, 3));
  pass_time(2 * MILLISECOND);
  check(opened == 1 && throttle_pass(&t, 3));
  check(throttle_closed_time(&t) == 101 * MILLISECOND);
  throttle_deinit(&t);
}

static void holds_until_the_latest_end(void)
{
  char why[64];
  throttle t = make(0, 1);
  check(throttle_hold(&t, 3, "Retry-After", 0));
  check(!throttle_hold(&t, 2, "another", 0)); /* no news */
  check(!throttle_pass(&t, 1) && throttle_held(&t) == 3);
  throttle_describe(&t, why, sizeof why);
  check_string(why, "held by Retry-After for 3 s more");
  pass_time(3 * SECOND + MILLISECOND);
  check(opened == 1 && throttle_pass(&t, 1) && throttle_held(&t) == 0);
  throttle_hold(&t, 9, "x", 0);
  throttle_hold(&t, 0, "x", 0);
  check(throttle_pass(&t, 2)); /* 0 ends it */
  throttle_deinit(&t);
}

/* What a server says: so many remain for so many seconds, of `limit` in `window` seconds. */
static bool say(throttle *t, double remaining, double reset, double limit, double window)
{
  throttle_quota said = {remaining, reset, limit, window};
  return throttle_set_quota(t, &said, 60);
}

/* How many pass now. */
static unsigned pass_all(throttle *t)
{
  unsigned count = 0;
  while (count < 100 && throttle_pass(t, 1)) count++;
  return count;
}

static void answer(throttle *t, unsigned count, bool accepted)
{
  while (count-- > 0) throttle_answered(t, t->round, throttle_time(t), accepted);
}

static void starts_slowly_after_a_hold(void)
{
  throttle t = make(0, 1);
  throttle_hold(&t, 3, "Retry-After", 0);
  check(!throttle_pass(&t, 1));
  pass_time(3 * SECOND + MILLISECOND);
  check(pass_all(&t) == 1);
  answer(&t, 1, true);
  check(pass_all(&t) == 2);
  answer(&t, 2, true);
  check(pass_all(&t) == 8);
  answer(&t, 4, false); /* no answers: they make room, no more */
  check(pass_all(&t) == 4);
  uint32_t before = t.round;
  throttle_hold(&t, 10, "Retry-After", 0);
  for (int i = 0; i < 8; i++)
    throttle_answered(&t, before, throttle_time(&t), true); /* to what started before it */
  check(pass_all(&t) == 0);
  pass_time(10 * SECOND + MILLISECOND);
  check(pass_all(&t) == 1 && t.unread == 1);
  throttle_deinit(&t);
}

static void needs_more_than_one_refusal_for_a_rate(void)
{
  throttle t = make(0, 1);
  for (int i = 0; i < 2; i++) {
    throttle_hold(&t, 1, "Retry-After", 0);
    pass_time(SECOND + MILLISECOND);
    check(throttle_pass(&t, 1) && throttle_learned_rate(&t) == 0); /* nothing was accepted */
  }
  answer(&t, 1, true);
  throttle_hold(&t, 30, "Retry-After", 0);
  pass_time(30 * SECOND + MILLISECOND);
  check(throttle_pass(&t, 1) && throttle_learned_rate(&t) > 0); /* two in a row */
  throttle_deinit(&t);
}

/* As after so many that started at once were accepted, and four were refused, both after `age`; at the hold's
 * end. */
static throttle refused_after(unsigned count, uint64_t age, double hold)
{
  throttle t = make(0, 1);
  for (unsigned i = 0; i < count + 4; i++) check(throttle_pass(&t, 1));
  pass_time(age);
  answer(&t, count, true);
  for (unsigned i = 0; i < 4; i++) {
    throttle_hold(&t, hold, "Retry-After", age);
    throttle_answered(&t, t.round - 1, throttle_time(&t), false);
  }
  pass_time(loop_nanoseconds(hold));
  return t;
}

/* Lets pass and be accepted what may, until so many did. True: in that time, a tenth more or less. */
static bool passes_in(throttle *t, unsigned count, double seconds)
{
  uint64_t begun = time_of_test.now;
  for (unsigned i = 0; i < count;) {
    bool passes = throttle_pass(t, 1);
    if (passes) answer(t, 1, true);
    i += passes;
    if (!passes) pass_time(MILLISECOND);
  }
  double took = (double)(time_of_test.now - begun) / SECOND;
  return took > 0.9 * seconds && took < 1.1 * seconds;
}

static void climbs_from_few_and_keeps_what_was_accepted(void)
{
  throttle t = refused_after(1, 0, 1);
  uint64_t begun = time_of_test.now;
  check(passes_in(&t, 15, 1.5)); /* each a sixth faster than the one before, from 4 a second on */
  uint64_t refused = begun + 600 * MILLISECOND; /* the one after those at 0, 0.25 and 0.48 s */
  throttle_hold(&t, 1, "Retry-After", time_of_test.now - refused);
  pass_time(SECOND);
  check(throttle_pass(&t, 1));
  double rate = throttle_learned_rate(&t);
  check(rate > 4.3 && rate < 4.9);
  throttle_deinit(&t);
}

static void takes_several_for_the_quota_of_a_second_where_holds_are_dear(void)
{
  throttle t = refused_after(10, 800 * MILLISECOND, 1);
  check(throttle_pass(&t, 1));
  double rate = throttle_learned_rate(&t);
  check(rate > 9.6 && rate < 9.8);
  throttle_deinit(&t);
}

/* Guessed as 9.7 a second. */
static throttle with_a_guess(void)
{
  throttle t = refused_after(10, 800 * MILLISECOND, 1);
  check(throttle_pass(&t, 1));
  answer(&t, 1, true);
  return t;
}

static void climbs_from_a_guess_after_five_times_what_a_hold_costs(void)
{
  throttle t = with_a_guess();
  check(passes_in(&t, 194, 20));
  double rate = throttle_learned_rate(&t);
  check(rate > 9.6 && rate < 9.8);
  check(passes_in(&t, 40, 2.2));
  rate = throttle_learned_rate(&t);
  check(rate > 20);
  throttle_hold(&t, 1, "Retry-After", 0);
  pass_time(SECOND);
  check(throttle_pass(&t, 1));
  check(throttle_learned_rate(&t) >= 9.6); /* it held for long */
  throttle_deinit(&t);
}

static void replaces_a_guess_by_what_was_accepted_beyond_the_first(void)
{
  throttle t = with_a_guess();
  check(passes_in(&t, 20, 2)); /* ten of them had been saved up */
  throttle_hold(&t, 1, "Retry-After", 0);
  pass_time(SECOND);
  check(throttle_pass(&t, 1));
  double rate = throttle_learned_rate(&t);
  check(rate > 4.5 && rate < 5.5);
  throttle_deinit(&t);
}

static void counts_what_started_before_the_first_refusal_in_whatever_order_it_is_read(void)
{
  throttle t = make(0, 1);
  for (unsigned i = 0; i < 14; i++) check(throttle_pass(&t, 1));
  uint32_t first = throttle_time(&t);
  pass_time(900 * MILLISECOND);
  for (unsigned i = 0; i < 5; i++) throttle_answered(&t, t.round, first, true);
  for (unsigned i = 0; i < 5; i++) check(throttle_pass(&t, 1));
  uint32_t second = throttle_time(&t);
  for (unsigned i = 0; i < 4; i++) throttle_hold(&t, 1, "Retry-After", 900 * MILLISECOND);
  for (unsigned i = 0; i < 5; i++) throttle_answered(&t, t.round - 1, first, true);
  pass_time(900 * MILLISECOND);
  for (unsigned i = 0; i < 5; i++) throttle_answered(&t, t.round - 1, second, true);
  pass_time(100 * MILLISECOND);
  check(throttle_pass(&t, 1));
  double rate = throttle_learned_rate(&t);
  check(rate > 9.6 && rate < 9.8);
  throttle_deinit(&t);
}

static void tells_a_quota_from_what_is_saved_up(void)
{
  throttle t = refused_after(10, 0, 1);
  check(passes_in(&t, 10, 0.6)); /* as many as before: a quota */
  pass_time(40 * MILLISECOND);
  throttle_hold(&t, 1, "Retry-After", 0);
  pass_time(SECOND);
  check(throttle_pass(&t, 1));
  double rate = throttle_learned_rate(&t);
  check(rate > 9.6 && rate < 9.8);
  throttle_deinit(&t);
  t = refused_after(10, 0, 1);
  passes_in(&t, 40, 0); /* at 40 a second in the end; ten had been saved up */
  throttle_hold(&t, 1, "Retry-After", 0);
  pass_time(SECOND);
  check(throttle_pass(&t, 1));
  rate = throttle_learned_rate(&t);
  check(rate > 16 && rate < 28);
  throttle_deinit(&t);
}

/* A known rate of 9.7. */
static throttle at_known_rate(void)
{
  throttle t = with_a_guess();
  t.learned.growth = GROWS_CUBICALLY;
  t.parts &= (uint16_t)~32u; /* the slow start is over */
  return t;
}

static void keeps_a_known_rate_and_grows_by_the_cube_of_time(void)
{
  throttle t = at_known_rate();
  check(passes_in(&t, 190, 190 / 9.7));
  double rate = throttle_learned_rate(&t);
  check(rate > 9.6 && rate < 9.8);
  check(passes_in(&t, 50, 5));
  rate = throttle_learned_rate(&t);
  check(rate > 10 && rate < 11);
  check(passes_in(&t, 110, 7.5));
  rate = throttle_learned_rate(&t);
  check(rate > 18 && rate < 22);
  throttle_deinit(&t);
}

static void cuts_a_known_rate_that_is_refused_soon(void)
{
  throttle t = at_known_rate();
  for (int i = 0; i < 2; i++) {
    passes_in(&t, 20, 2);
    double before = throttle_learned_rate(&t), cut = i ? 0.7 : 0.9;
    throttle_hold(&t, 1, "Retry-After", 0);
    check(throttle_learned_rate(&t) == before);
    pass_time(SECOND);
    check(throttle_pass(&t, 1));
    double rate = throttle_learned_rate(&t);
    check(rate > 0.99 * cut * before && rate < 1.01 * cut * before);
    answer(&t, 1, true);
  }
  throttle_deinit(&t);
}

static void takes_from_a_quota_what_starts_or_is_unread(void)
{
  throttle t = make(0, 1);
  check(throttle_pass(&t, 1)); /* unread */
  check(!say(&t, 3, 10, 0, 0));
  check(throttle_quota_left(&t) == 2);
  check(pass_all(&t) == 2);
  answer(&t, 3, true);
  check(!say(&t, 8, 10, 0, 0)); /* overtaken by a later answer: the least counts */
  check(throttle_quota_left(&t) == 3);
  say(&t, 0, 10, 0, 0);
  check(!throttle_pass(&t, 3));
  pass_time(10 * SECOND + MILLISECOND);
  check(throttle_pass(&t, 3) && throttle_quota_left(&t) < 0); /* no limit was told */
  throttle_deinit(&t);
}

static void keeps_a_quota_in_later_windows(void)
{
  throttle t = make(0, 1);
  say(&t, 0, 4, 5, 10);
  check(pass_all(&t) == 0);
  pass_time(4 * SECOND + MILLISECOND);
  check(pass_all(&t) == 5);
  pass_time(9 * SECOND);
  check(pass_all(&t) == 0);
  answer(&t, 5, true);
  pass_time(SECOND);
  check(pass_all(&t) == 5);
  answer(&t, 4, true); /* one is on its way: it may be counted in the next window */
  pass_time(25 * SECOND);
  check(pass_all(&t) == 4);
  say(&t, 0, 0.1, 5, 10); /* an answer of the window before */
  check(throttle_quota_left(&t) == 0);
  throttle_deinit(&t);
}

static void does_not_wait_for_a_quota_beyond_its_patience(void)
{
  throttle t = make(0, 1);
  check(!say(&t, 0, 3600, 0, 0) && throttle_pass(&t, 1));
  throttle_deinit(&t);
  t = make(0, 1);
  check(say(&t, 0, 30, 0, 0) && !throttle_pass(&t, 1));
  throttle_deinit(&t);
}

static void learns_a_rate_from_refusals_and_forgets_it(void)
{
  throttle t = make(0, 1);
  check(!throttle_slow_down(&t, 0)); /* too few to measure */
  for (int i = 0; i < 200; i++) {
    throttle_pass(&t, 1);
    pass_time(10 * MILLISECOND);
  }
  check(throttle_slow_down(&t, 0));
  double rate = throttle_learned_rate(&t);
  check(rate > 60 && rate < 80);     /* 0.7 of 100 */
  check(!throttle_slow_down(&t, 0)); /* one cut a second is enough */
  pass_time(SECOND);
  double grown = throttle_learned_rate(&t);
  check(grown > rate + 9 && grown < rate + 11);
  check(!throttle_slow_down(&t, 2 * SECOND)); /* it started before the last cut */
  pass_time(10 * SECOND);
  check(throttle_learned_rate(&t) == 0 && !throttle_is_fresh(&t)); /* 200 have no answer yet */
  answer(&t, 200, true);
  check(throttle_is_fresh(&t));
  throttle_deinit(&t);
}

static bool waits(throttle *t, double patience, double seconds, bool all)
{
  unasked_wait wait = throttle_hold_unasked(t, MILLISECOND, true, patience);
  return check(wait.seconds > seconds - 0.01 && wait.seconds < seconds + 0.01 && wait.all == all);
}

static void takes_several_refusals_in_turn_for_a_hold(void)
{
  throttle t = make(0, 1);
  check(waits(&t, 60, 0, false)); /* nothing was ever accepted */
  throttle_pass(&t, 1);
  answer(&t, 1, true);
  pass_time(2 * MILLISECOND);
  check(throttle_hold_unasked(&t, MILLISECOND, false, 60).seconds == 0); /* nobody else is there */
  throttle_pass(&t, 1);
  for (int i = 0; i < 2; i++) check(waits(&t, 60, 0, false));
  check(waits(&t, 60, 0.5, true) && throttle_held(&t) > 0.49 && t.guessed);
  check(waits(&t, 60, 0.5, true)); /* the same one */
  for (double longer = 1; longer <= 16; longer *= 2) {
    pass_time((uint64_t)(throttle_held(&t) * NANOSECONDS) + MILLISECOND);
    check(throttle_pass(&t, 1) && !throttle_pass(&t, 1)); /* a slow start */
    answer(&t, 1, false);
    check(waits(&t, 60, longer, true));
  }
  check(throttle_hold(&t, 20, "Retry-After", 0) && !t.guessed);
  pass_time(62 * SECOND);
  check(waits(&t, 60, 0, false)); /* nothing was accepted for a minute */
  throttle_deinit(&t);
}

static void takes_refusals_between_others_for_chance(void)
{
  throttle t = make(0, 1);
  for (int i = 0; i < 20; i++) {
    throttle_pass(&t, 1);
    answer(&t, 1, true);
    pass_time(10 * MILLISECOND);
    check(waits(&t, 60, 0, false));
  }
  check(waits(&t, 0.1, 0.1, true)); /* the second in turn of two; no longer than that */
  throttle_deinit(&t);
}

int main(void)
{
  lets_all_through_when_nothing_limits_them();
  keeps_a_rate_with_bursts();
  holds_until_the_latest_end();
  starts_slowly_after_a_hold();
  needs_more_than_one_refusal_for_a_rate();
  climbs_from_few_and_keeps_what_was_accepted();
  takes_several_for_the_quota_of_a_second_where_holds_are_dear();
  climbs_from_a_guess_after_five_times_what_a_hold_costs();
  replaces_a_guess_by_what_was_accepted_beyond_the_first();
  counts_what_started_before_the_first_refusal_in_whatever_order_it_is_read();
  tells_a_quota_from_what_is_saved_up();
  keeps_a_known_rate_and_grows_by_the_cube_of_time();
  cuts_a_known_rate_that_is_refused_soon();
  takes_from_a_quota_what_starts_or_is_unread();
  keeps_a_quota_in_later_windows();
  does_not_wait_for_a_quota_beyond_its_patience();
  learns_a_rate_from_refusals_and_forgets_it();
  takes_several_refusals_in_turn_for_a_hold();
  takes_refusals_between_others_for_chance();
  clock_free(&time_of_test);
  return unit_end();
}
