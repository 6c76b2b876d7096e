/* The transfers that wait at one origin. The higher priority goes first, within one priority whoever came
 * first. So that nobody waits for ever, each eighth to go is the one that has waited longest, whatever its
 * priority. Everything is O(1). */
#ifndef LURCHER_NET_QUEUE_H
#define LURCHER_NET_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MIN_PRIORITY = -8, MAX_PRIORITY = 7, PRIORITIES = 16 };

struct transfer;

typedef struct {
  struct transfer *first, *last;
} transfer_list;

typedef struct {
  transfer_list normal;  /* of priority 0 */
  transfer_list again;   /* had their turn and could not start: they go before all others */
  transfer_list *others; /* by priority; NULL: none was ever asked for */
  uint16_t filled;       /* which of the others are not empty: bit 0 is the least priority */
  uint8_t taken;         /* counts to the turn of the oldest */
  size_t count;
} transfer_queue;

/* Appends it, by its priority. False: out of memory. */
bool queue_add(transfer_queue *q, struct transfer *t);

/* Puts one back that was taken. */
void queue_put_back(transfer_queue *q, struct transfer *t);

void queue_remove(transfer_queue *q, struct transfer *t);

/* Whose turn it is; NULL: nobody waits. */
struct transfer *queue_first(const transfer_queue *q);

/* Takes that one. */
struct transfer *queue_take(transfer_queue *q);

/* Calls `fn` for each, which may remove it. */
void queue_each(transfer_queue *q, void (*fn)(struct transfer *t, const void *user), const void *user);

/* An empty one. */
void queue_free(transfer_queue *q);

#endif
