/* Anything a task can wait for. It is the first member (or a member) of the struct that does the work:
 *
 *   1. operation_begin  when the work starts; from now on it may end at any time
 *   2. operation_complete  when it has ended: the owner is resumed after the current batch of loop events
 *   or 2'. operation_abandon: the owner was cancelled and will never look at it again
 */
#ifndef LURCHER_CORE_OPERATION_H
#define LURCHER_CORE_OPERATION_H

#include "core/list.h"

#include <stdbool.h>

struct loop;
typedef struct operation operation;

typedef struct {
  const char *name; /* what is waited for, as in "sleep": shown in reports */

  /* The owner is gone. Stop the work, give back what it holds, and free the operation: at once, or when
   * the work lets go of it. It is off the ready queue, and must never be completed again. NULL: nothing to
   * do. */
  void (*abandon)(operation *op);
} operation_class;

typedef enum { OPERATION_IDLE, OPERATION_PENDING, OPERATION_READY } operation_state;

struct operation {
  const operation_class *class;
  struct loop *loop;
  void *owner;    /* the task that waits, or NULL */
  list_link link; /* in the ready queue */
  operation_state state;
  bool holds;  /* keeps the loop running while pending */
  bool is_job; /* counted as one */
};

/* Starts an operation. `holds`: the loop must go on running until it ends (true for everything that an event
 * from outside ends; false for waiting on another task). */
void operation_begin(operation *op, const operation_class *class, struct loop *loop, bool holds);

/* A pending operation ends soon by itself, as work on the thread pool does: virtual time does not pass
 * meanwhile. */
void operation_is_job(operation *op);

/* Marks a pending operation as ended and queues it; a second call, or one on an idle operation, does nothing.
 */
void operation_complete(operation *op);

/* Takes it off the ready queue if it is there, and calls the class's abandon. For the scheduler only. */
void operation_abandon(operation *op);

/* Back to idle, off the ready queue: the work is over and its result was taken. */
void operation_reset(operation *op);

#endif
