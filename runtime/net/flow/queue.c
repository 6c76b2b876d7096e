#include "net/flow/queue.h"

#include <stdlib.h>

enum { TURN_OF_OLDEST = 8 };

static queue_item *first_of(const linked_list *items) { return list_first_of(items, queue_item, link); }

void queue_init(queue *q)
{
  *q = (queue){0};
  list_init(&q->normal);
  list_init(&q->again);
}

static linked_list *list_of(queue *q, const queue_item *item)
{
  if (item->requeued) return &q->again;
  return item->priority ? &q->others[item->priority - MIN_PRIORITY] : &q->normal;
}

static void append(queue *q, queue_item *item)
{
  list_append(list_of(q, item), &item->link);
  if (item->priority && !item->requeued) q->filled |= (uint16_t)(1u << (item->priority - MIN_PRIORITY));
  q->count++;
}

static bool make_others(queue *q)
{
  q->others = calloc(PRIORITIES, sizeof *q->others);
  for (int i = 0; q->others && i < PRIORITIES; i++) list_init(&q->others[i]);
  return q->others;
}

bool queue_add(queue *q, queue_item *item)
{
  if (item->priority && !q->others && !make_others(q)) return false;
  append(q, item);
  return true;
}

void queue_put_back(queue *q, queue_item *item)
{
  item->requeued = true;
  append(q, item);
}

void queue_remove(queue *q, queue_item *item)
{
  list_remove(&item->link);
  if (item->priority && list_is_empty(list_of(q, item)) && !item->requeued)
    q->filled &= (uint16_t) ~(1u << (item->priority - MIN_PRIORITY));
  item->requeued = false;
  q->count--;
}

static queue_item *first_by_priority(const queue *q)
{
  queue_item *normal = first_of(&q->normal);
  if (!q->filled) return normal;
  unsigned highest = 31 - (unsigned)__builtin_clz(q->filled);
  bool above = (int)highest + MIN_PRIORITY > 0 || !normal;
  return above ? first_of(&q->others[highest]) : normal;
}

static queue_item *oldest(const queue *q)
{
  queue_item *found = first_of(&q->normal);
  for (unsigned left = q->filled; left; left &= left - 1) {
    queue_item *item = first_of(&q->others[__builtin_ctz(left)]);
    if (!found || item->arrival < found->arrival) found = item;
  }
  return found;
}

queue_item *queue_first(const queue *q)
{
  if (!list_is_empty(&q->again)) return first_of(&q->again);
  return q->taken == TURN_OF_OLDEST - 1 && q->filled ? oldest(q) : first_by_priority(q);
}

queue_item *queue_take(queue *q)
{
  queue_item *item = queue_first(q);
  if (!item->requeued) q->taken = (uint8_t)((q->taken + 1) % TURN_OF_OLDEST);
  queue_remove(q, item);
  return item;
}

static void each(linked_list *items, void (*fn)(queue_item *item, const void *user), const void *user)
{
  list_each_removing (link, items) fn(container_of(link, queue_item, link), user);
}

void queue_each(queue *q, void (*fn)(queue_item *item, const void *user), const void *user)
{
  each(&q->again, fn, user);
  each(&q->normal, fn, user);
  for (int i = PRIORITIES; q->others && i-- > 0;) each(&q->others[i], fn, user);
}

void queue_free(queue *q) { free(q->others); }
