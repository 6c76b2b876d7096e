/* The limit that is found out, with a server whose latency is a formula. */
#include "net/flow/adaptive.h"

#include "support/unit.h"

static const uint64_t MILLISECOND = 1000000;
static uint64_t now;

/* A round of as many requests as may run, each of which takes what the server needs for so many at once: it
 * works on `capacity` side by side. */
static void round_of(adaptive *a, size_t capacity)
{
  size_t slots = adaptive_slots(a), count = slots > 8 ? slots : 8;
  uint64_t latency = 10 * MILLISECOND * (slots > capacity ? slots : capacity) / capacity;
  now += latency + 1;
  for (size_t i = 0; i < count; i++) adaptive_sample(a, now, latency, latency, slots);
}

static adaptive make(size_t most)
{
  adaptive a;
  now = 1000 * MILLISECOND;
  adaptive_init(&a, most, now);
  return a;
}

static void doubles_while_nothing_queues_up(void)
{
  adaptive a = make(100);
  check(adaptive_slots(&a) == 4);
  round_of(&a, 1000);
  check(adaptive_slots(&a) == 8);
  round_of(&a, 1000);
  check(adaptive_slots(&a) == 16);
  for (int i = 0; i < 10; i++) round_of(&a, 1000);
  check(adaptive_slots(&a) == 100); /* never above the most */
}

static void settles_a_little_above_what_the_server_does_at_once(void)
{
  adaptive a = make(10000);
  for (int i = 0; i < 200; i++) round_of(&a, 50);
  check(adaptive_slots(&a) >= 45 && adaptive_slots(&a) <= 80);
}

static void follows_a_server_that_becomes_slower(void)
{
  adaptive a = make(10000);
  for (int i = 0; i < 100; i++) round_of(&a, 80);
  size_t before = adaptive_slots(&a);
  for (int i = 0; i < 100; i++) round_of(&a, 10);
  check(adaptive_slots(&a) < before / 2);
}

static void is_cut_when_more_than_a_fifth_is_refused(void)
{
  adaptive a = make(100);
  for (int i = 0; i < 6; i++) round_of(&a, 1000);
  size_t before = adaptive_slots(&a);
  now += MILLISECOND;
  for (size_t i = 0; i < before / 5; i++) adaptive_overload(&a, now, 0);
  check(adaptive_slots(&a) == before);
  adaptive_overload(&a, now, 0);
  check(adaptive_slots(&a) == before * 7 / 10);
}

static void ignores_what_started_before_the_round(void)
{
  adaptive a = make(100);
  for (int i = 0; i < 6; i++) round_of(&a, 1000);
  size_t before = adaptive_slots(&a);
  for (int i = 0; i < 1000; i++) adaptive_overload(&a, now, 100 * MILLISECOND);
  check(adaptive_slots(&a) == before);
}

static void learns_nothing_from_a_round_that_used_less_than_half(void)
{
  adaptive a = make(100);
  for (int i = 0; i < 3; i++) round_of(&a, 1000);
  size_t before = adaptive_slots(&a);
  now += MILLISECOND;
  for (int i = 0; i < 100; i++) adaptive_sample(&a, now, 0, 500 * MILLISECOND, 1);
  check(adaptive_slots(&a) == before);
}

static void never_falls_below_one(void)
{
  adaptive a = make(100);
  for (int i = 0; i < 1000; i++) adaptive_overload(&a, now += MILLISECOND, 0);
  check(adaptive_slots(&a) == 1);
}

int main(void)
{
  doubles_while_nothing_queues_up();
  settles_a_little_above_what_the_server_does_at_once();
  follows_a_server_that_becomes_slower();
  is_cut_when_more_than_a_fifth_is_refused();
  ignores_what_started_before_the_round();
  learns_nothing_from_a_round_that_used_less_than_half();
  never_falls_below_one();
  return unit_end();
}
