#include "net/flow/queue.h"

#include "net/transfer/transfer.h"

#include <stdlib.h>

enum { TURN_OF_OLDEST = 8 };

static transfer_list *list_of(transfer_queue *q, const transfer *t)
{
  if (t->requeued) return &q->again;
  return t->priority ? &q->others[t->priority - MIN_PRIORITY] : &q->normal;
}

static void append(transfer_queue *q, transfer *t)
{
  transfer_list *list = list_of(q, t);
  t->previous = list->last;
  t->next = NULL;
  *(list->last ? &list->last->next : &list->first) = t;
  list->last = t;
  if (t->priority && !t->requeued) q->filled |= (uint16_t)(1u << (t->priority - MIN_PRIORITY));
  q->count++;
}

bool queue_add(transfer_queue *q, transfer *t)
{
  if (t->priority && !q->others) q->others = calloc(PRIORITIES, sizeof *q->others);
  if (t->priority && !q->others) return false;
  append(q, t);
  return true;
}

void queue_put_back(transfer_queue *q, transfer *t)
{
  t->requeued = true;
  append(q, t);
}

void queue_remove(transfer_queue *q, transfer *t)
{
  transfer_list *list = list_of(q, t);
  *(t->previous ? &t->previous->next : &list->first) = t->next;
  *(t->next ? &t->next->previous : &list->last) = t->previous;
  t->next = t->previous = NULL;
  if (t->priority && !list->first && !t->requeued)
    q->filled &= (uint16_t) ~(1u << (t->priority - MIN_PRIORITY));
  t->requeued = false;
  q->count--;
}

static transfer *first_by_priority(const transfer_queue *q)
{
  if (!q->filled) return q->normal.first;
  unsigned highest = 31 - (unsigned)__builtin_clz(q->filled);
  bool above = (int)highest + MIN_PRIORITY > 0 || !q->normal.first;
  return above ? q->others[highest].first : q->normal.first;
}

static transfer *oldest(const transfer_queue *q)
{
  transfer *found = q->normal.first;
  for (unsigned left = q->filled; left; left &= left - 1) {
    transfer *t = q->others[__builtin_ctz(left)].first;
    if (!found || t->arrival < found->arrival) found = t;
  }
  return found;
}

transfer *queue_first(const transfer_queue *q)
{
  if (q->again.first) return q->again.first;
  return q->taken == TURN_OF_OLDEST - 1 && q->filled ? oldest(q) : first_by_priority(q);
}

transfer *queue_take(transfer_queue *q)
{
  transfer *t = queue_first(q);
  if (!t->requeued) q->taken = (uint8_t)((q->taken + 1) % TURN_OF_OLDEST);
  queue_remove(q, t);
  return t;
}

static void each(transfer_list *list, void (*fn)(transfer *t, const void *user), const void *user)
{
  for (transfer *t = list->first, *next; t; t = next) {
    next = t->next;
    fn(t, user);
  }
}

void queue_each(transfer_queue *q, void (*fn)(transfer *t, const void *user), const void *user)
{
  each(&q->again, fn, user);
  each(&q->normal, fn, user);
  for (int i = PRIORITIES; q->others && i-- > 0;) each(&q->others[i], fn, user);
}

void queue_free(transfer_queue *q) { free(q->others); }
