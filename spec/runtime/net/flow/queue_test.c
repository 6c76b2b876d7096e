#include "net/flow/queue.h"

#include "support/unit.h"

#include <stdlib.h>

enum { MANY = 200, STEPS = 100000 };

static queue_item items[MANY];
static bool waits[MANY];
static uint32_t random_state = 3;

static uint32_t next_random(uint32_t below)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state % below;
}

/* Whose turn it is, found the slow way. */
static queue_item *reference_first(bool turn_of_oldest)
{
  queue_item *first = NULL;
  for (size_t i = 0; i < MANY; i++) {
    queue_item *item = &items[i];
    if (!waits[i]) continue;
    bool before = !first || (!turn_of_oldest && item->priority > first->priority) ||
                  ((turn_of_oldest || item->priority == first->priority) && item->arrival < first->arrival);
    if (before) first = item;
  }
  return first;
}

static void add_next(queue *q, uint64_t *arrivals)
{
  size_t i = next_random(MANY);
  if (waits[i]) return;
  items[i].priority = (int8_t)((int)next_random(PRIORITIES) + MIN_PRIORITY);
  items[i].arrival = ++*arrivals;
  waits[i] = queue_add(q, &items[i]);
}

static void follows_priority_and_age(void)
{
  queue q;
  queue_init(&q);
  uint64_t arrivals = 0;
  size_t taken = 0;
  bool right = true;
  for (int step = 0; step < STEPS && right; step++) {
    uint32_t what = next_random(5);
    if (what < 2) add_next(&q, &arrivals);
    if (what < 2) continue;
    queue_item *wanted = reference_first(taken % 8 == 7);
    right = queue_first(&q) == wanted;
    if (!wanted || !right) continue;
    queue_item *leaves = wanted;
    if (what == 2) { /* another one gives up */
      size_t i = next_random(MANY);
      if (!waits[i]) continue;
      queue_remove(&q, leaves = &items[i]);
    } else {
      taken++;
      right = queue_take(&q) == wanted;
    }
    waits[leaves - items] = false;
  }
  check(right);
  check(taken > STEPS / 10);
  while (queue_first(&q)) queue_take(&q);
  check(q.count == 0 && !q.filled);
  queue_free(&q);
}

static void lets_the_one_go_first_that_had_its_turn(void)
{
  queue q;
  queue_init(&q);
  queue_item low = {.priority = MIN_PRIORITY, .arrival = 2}, high = {.priority = MAX_PRIORITY, .arrival = 1};
  check(queue_add(&q, &high) && queue_add(&q, &low));
  queue_remove(&q, &low);
  queue_put_back(&q, &low);
  check(queue_first(&q) == &low && q.count == 2);
  check(queue_take(&q) == &low && queue_take(&q) == &high);
  check(!queue_first(&q) && !q.filled && !low.requeued);
  queue_free(&q);
}

static void remove_it(queue_item *item, const void *q) { queue_remove((queue *)q, item); }

static void may_be_emptied_while_it_is_walked(void)
{
  queue q;
  queue_init(&q);
  for (int i = 0; i < 20; i++) {
    items[i] = (queue_item){.priority = (int8_t)(i % 3 - 1), .arrival = (uint64_t)i};
    check(queue_add(&q, &items[i]));
  }
  queue_put_back(&q, queue_take(&q));
  queue_each(&q, remove_it, &q);
  check(q.count == 0 && !queue_first(&q));
  queue_free(&q);
}

int main(void)
{
  follows_priority_and_age();
  lets_the_one_go_first_that_had_its_turn();
  may_be_emptied_while_it_is_walked();
  return unit_end();
}
