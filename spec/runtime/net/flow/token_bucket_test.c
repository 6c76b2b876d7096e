#include "net/flow/token_bucket.h"

#include "support/unit.h"

#include <stdlib.h>

static const uint64_t SECOND = 1000000000;

static uint32_t random_state = 7;

static uint32_t next_random(uint32_t below)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state % below;
}

/* Somebody takes one token after the other, each time waking up to `lateness` too late. Returns how many
 * there were until `end`; `times` says when. */
static size_t run(token_bucket *b, uint64_t end, uint32_t lateness, uint64_t *times)
{
  size_t count = 0;
  bool awaited = false;
  for (uint64_t now = b->at; now < end;) {
    uint64_t due = token_bucket_due(b, now, 1, awaited);
    awaited = due > now;
    if (awaited) {
      now = due + (lateness ? next_random(lateness) : 0);
      continue;
    }
    token_bucket_take(b, 1);
    times[count++] = now;
  }
  return count;
}

/* By how many the fullest window has more than burst + rate * its length. */
static double worst_excess(const uint64_t *times, size_t count, double rate, double burst)
{
  double worst = -1e9, before = 1e18;
  for (size_t i = 0; i < count; i++) {
    double here = (double)i - rate * (double)times[i] / 1e9;
    if (here < before) before = here;
    double excess = here - before + 1 - burst;
    if (excess > worst) worst = excess;
  }
  return worst;
}

static uint64_t times[200000];

static void holds_the_rate_exactly(void)
{
  static const double rates[] = {1, 3, 7.7, 1000, 12345.678};
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
    token_bucket b;
    token_bucket_init(&b, rates[i], 1, 5 * SECOND);
    size_t count = run(&b, 15 * SECOND, 0, times);
    double wanted = 10 * rates[i] + 1;
    check((double)count <= wanted + 0.001 && (double)count >= wanted - 1.001);
    check(worst_excess(times, count, rates[i], 1) < 0.001);
  }
}

static void loses_nothing_to_lateness(void)
{
  token_bucket b;
  token_bucket_init(&b, 1000, 1, 1);
  size_t count = run(&b, 10 * SECOND, 900000, times); /* up to 0.9 of a token's time */
  check(count >= 9999 && count <= 10001);
  check(worst_excess(times, count, 1000, 1) <= 0.91);
}

/* The process is held up, again and again. */
static void makes_up_for_no_more_than_one_token_or_1_ms(void)
{
  static const struct {
    double rate, most;
  } cases[] = {{100, 1}, {1000, 1}, {2000, 2}, {10000, 10}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    token_bucket b;
    token_bucket_init(&b, cases[i].rate, 1, 1);
    size_t count = run(&b, 10 * SECOND, 40000000, times);
    check((double)count < 10 * cases[i].rate);
    double excess = worst_excess(times, count, cases[i].rate, 1);
    check(excess <= cases[i].most + 0.001 && excess > cases[i].most * 0.9);
  }
}

static void gives_a_burst_after_a_pause_and_no_more(void)
{
  token_bucket b;
  token_bucket_init(&b, 10, 5, 0);
  uint64_t now = 100 * SECOND;
  int at_once = 0;
  while (token_bucket_due(&b, now, 1, false) == now && at_once < 100) {
    token_bucket_take(&b, 1);
    at_once++;
  }
  check(at_once == 5);
  check(token_bucket_due(&b, now, 1, false) == now + SECOND / 10);
}

static void saves_more_than_its_burst_for_who_waits_for_it(void)
{
  token_bucket b;
  token_bucket_init(&b, 10, 1, 0);
  uint64_t due = token_bucket_due(&b, 0, 5, false);
  check(due == SECOND * 4 / 10);
  check(token_bucket_due(&b, due, 5, true) == due);
  token_bucket_take(&b, 5);
  check(token_bucket_due(&b, due, 1, false) == due + SECOND / 10);
}

static void takes_back_what_was_not_used(void)
{
  token_bucket b;
  token_bucket_init(&b, 1, 1, 0);
  check(token_bucket_due(&b, 0, 1, false) == 0);
  token_bucket_take(&b, 1);
  check(!token_bucket_full(&b, 0));
  token_bucket_give_back(&b, 1);
  check(token_bucket_due(&b, 0, 1, false) == 0);
  check(token_bucket_full(&b, 0));
}

static void changes_its_rate(void)
{
  token_bucket b;
  token_bucket_init(&b, 1, 1, 0);
  token_bucket_take(&b, 1);
  token_bucket_set_rate(&b, SECOND / 2, 10); /* half a token is there */
  check(token_bucket_due(&b, SECOND / 2, 1, false) == SECOND / 2 + SECOND / 20);
}

static void survives_extremes(void)
{
  token_bucket b;
  token_bucket_init(&b, 1e-300, 1, 0);
  token_bucket_take(&b, 1);
  check(token_bucket_due(&b, 10, 1, true) == UINT64_MAX);
  token_bucket_init(&b, 1e300, 1, 0);
  token_bucket_take(&b, 1);
  check(token_bucket_due(&b, 10, 1, true) == 10);
  check(token_bucket_due(&b, 5, 1, true) == 5); /* a clock that seems to go back */
}

int main(void)
{
  holds_the_rate_exactly();
  loses_nothing_to_lateness();
  makes_up_for_no_more_than_one_token_or_1_ms();
  gives_a_burst_after_a_pause_and_no_more();
  saves_more_than_its_burst_for_who_waits_for_it();
  takes_back_what_was_not_used();
  changes_its_rate();
  survives_extremes();
  return unit_end();
}
