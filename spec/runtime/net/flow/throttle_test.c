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
  check(throttle_closed_time(&t) == 0 && throttle_is_fresh(&t));
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
  check(throttle_hold(&t, 3, "Retry-After"));
  check(!throttle_hold(&t, 2, "another")); /* no news */
  check(!throttle_pass(&t, 1) && throttle_held(&t) == 3);
  throttle_describe(&t, why, sizeof why);
  check_string(why, "held by Retry-After for 3 s more");
  pass_time(3 * SECOND + MILLISECOND);
  check(opened == 1 && throttle_pass(&t, 1) && throttle_held(&t) == 0);
  throttle_hold(&t, 9, "x");
  throttle_hold(&t, 0, "x");
  check(throttle_pass(&t, 2)); /* 0 ends it */
  throttle_deinit(&t);
}

static void takes_from_a_quota_what_starts_or_is_unread(void)
{
  throttle t = make(0, 1);
  check(!throttle_set_quota(&t, 3, 10, 1, 60));
  check(throttle_quota_left(&t) == 2);
  check(throttle_pass(&t, 1) && throttle_pass(&t, 2) && !throttle_pass(&t, 3));
  check(!throttle_set_quota(&t, 8, 10, 0, 60)); /* overtaken by a later answer: the least counts */
  check(throttle_quota_left(&t) == 3);
  throttle_set_quota(&t, 0, 10, 0, 60);
  check(!throttle_pass(&t, 3));
  pass_time(10 * SECOND + MILLISECOND);
  check(throttle_pass(&t, 3) && throttle_quota_left(&t) < 0);
  throttle_deinit(&t);
}

static void does_not_wait_for_a_quota_beyond_its_patience(void)
{
  throttle t = make(0, 1);
  check(!throttle_set_quota(&t, 0, 3600, 0, 60) && throttle_pass(&t, 1));
  throttle_deinit(&t);
  t = make(0, 1);
  check(throttle_set_quota(&t, 0, 30, 0, 60) && !throttle_pass(&t, 1));
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
  check(throttle_learned_rate(&t) == 0 && throttle_is_fresh(&t));
  throttle_deinit(&t);
}

int main(void)
{
  lets_all_through_when_nothing_limits_them();
  keeps_a_rate_with_bursts();
  holds_until_the_latest_end();
  takes_from_a_quota_what_starts_or_is_unread();
  does_not_wait_for_a_quota_beyond_its_patience();
  learns_a_rate_from_refusals_and_forgets_it();
  clock_free(&time_of_test);
  return unit_end();
}
