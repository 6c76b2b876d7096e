/* What waits at one origin. The higher priority goes first, within one priority whoever came first. So that
 * nobody waits for ever, each eighth to go is the one that has waited longest, whatever its priority.
 * Everything is O(1). */
#ifndef LURCHER_NET_QUEUE_H
#define LURCHER_NET_QUEUE_H

#include "core/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MIN_PRIORITY = -8, MAX_PRIORITY = 7, PRIORITIES = 16 };

/* Embedded in whatever waits; while it is in no queue, its link is free for other lists. */
typedef struct {
  list_link link;
  uint64_t arrival; /* a number that grows with each that comes */
  int8_t priority;  /* MIN_PRIORITY to MAX_PRIORITY; the higher first */
  bool requeued;    /* it had its turn, but could not start */
} queue_item;

typedef struct {
  linked_list normal;  /* of priority 0 */
  linked_list again;   /* had their turn and could not start: they go before all others */
  linked_list *others; /* by priority; NULL: none was ever asked for */
  uint16_t filled;     /* which of the others are not empty: bit 0 is MIN_PRIORITY */
  uint8_t taken;       /* counts to the turn of the oldest */
  size_t count;
} queue;

/* An empty one, which must stay in place. */
void queue_init(queue *q);

/* Appends it, by its priority. False: out of memory. */
bool queue_add(queue *q, queue_item *item);

/* Puts one back that was taken. */
void queue_put_back(queue *q, queue_item *item);

void queue_remove(queue *q, queue_item *item);

/* Whose turn it is; NULL: nobody waits. */
queue_item *queue_first(const queue *q);

/* Takes that one. */
queue_item *queue_take(queue *q);

/* Calls `fn` for each, which may remove it. */
void queue_each(queue *q, void (*fn)(queue_item *item, const void *user), const void *user);

/* Frees an empty one. */
void queue_free(queue *q);

#endif
