#include "net/flow/queue.h"

#include <stdlib.h>

enum { TURN_OF_OLDEST = 8 };

static queue_list *list_of(queue *q, const queue_item *item)
{
  if (item->requeued) return &q->again;
  return item->priority ? &q->others[item->priority - MIN_PRIORITY] : &q->normal;
}

static void append(queue *q, queue_item *item)
{
  queue_list *list = list_of(q, item);
  item->previous = list->last;
  item->next = NULL;
  *(list->last ? &list->last->next : &list->first) = item;
  list->last = item;
  if (item->priority && !item->requeued) q->filled |= (uint16_t)(1u << (item->priority - MIN_PRIORITY));
  q->count++;
}

bool queue_add(queue *q, queue_item *item)
{
  if (item->priority && !q->others) q->others = calloc(PRIORITIES, sizeof *q->others);
  if (item->priority && !q->others) return false;
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
  queue_list *list = list_of(q, item);
  *(item->previous ? &item->previous->next : &list->first) = item->next;
  *(item->next ? &item->next->previous : &list->last) = item->previous;
  item->next = item->previous = NULL;
  if (item->priority && !list->first && !item->requeued)
    q->filled &= (uint16_t) ~(1u << (item->priority - MIN_PRIORITY));
  item->requeued = false;
  q->count--;
}

static queue_item *first_by_priority(const queue *q)
{
  if (!q->filled) return q->normal.first;
  unsigned highest = 31 - (unsigned)__builtin_clz(q->filled);
  bool above = (int)highest + MIN_PRIORITY > 0 || !q->normal.first;
  return above ? q->others[highest].first : q->normal.first;
}

static queue_item *oldest(const queue *q)
{
  queue_item *found = q->normal.first;
  for (unsigned left = q->filled; left; left &= left - 1) {
    queue_item *item = q->others[__builtin_ctz(left)].first;
    if (!found || item->arrival < found->arrival) found = item;
  }
  return found;
}

queue_item *queue_first(const queue *q)
{
  if (q->again.first) return q->again.first;
  return q->taken == TURN_OF_OLDEST - 1 && q->filled ? oldest(q) : first_by_priority(q);
}

queue_item *queue_take(queue *q)
{
  queue_item *item = queue_first(q);
  if (!item->requeued) q->taken = (uint8_t)((q->taken + 1) % TURN_OF_OLDEST);
  queue_remove(q, item);
  return item;
}

static void each(queue_list *list, void (*fn)(queue_item *item, const void *user), const void *user)
{
  for (queue_item *item = list->first, *next; item; item = next) {
    next = item->next;
    fn(item, user);
  }
}

void queue_each(queue *q, void (*fn)(queue_item *item, const void *user), const void *user)
{
  each(&q->again, fn, user);
  each(&q->normal, fn, user);
  for (int i = PRIORITIES; q->others && i-- > 0;) each(&q->others[i], fn, user);
}

void queue_free(queue *q) { free(q->others); }
