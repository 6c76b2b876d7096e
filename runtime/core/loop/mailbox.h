/* What other threads send to a loop. It is counted: the loop's user has one reference, and whoever may still
 * send has one, so that it outlives the loop. */
#ifndef LURCHER_CORE_MAILBOX_H
#define LURCHER_CORE_MAILBOX_H

#include "core/loop/loop.h"

typedef struct mailbox mailbox;
typedef struct mail mail;

/* Embedded by what is sent. Once it is posted, exactly one of the two is called. */
struct mail {
  void (*arrive)(mail *m); /* on the loop's thread */
  void (*drop)(mail *m);   /* the mailbox was closed before: on the thread that closes it */
  mail *next;
};

/* One reference; NULL: no memory. `l` is woken by loop_wake, and its on_wake has to call mailbox_deliver. */
mailbox *mailbox_new(loop *l);

void mailbox_ref(mailbox *box);
void mailbox_unref(mailbox *box); /* any thread */

/* Any thread. False: it is closed, and the mail was not taken. */
bool mailbox_post(mailbox *box, mail *m);

/* On the loop's thread: what has come so far arrives, in order. */
void mailbox_deliver(mailbox *box);

/* On the loop's thread, before the loop is closed: drops what has come, and takes no more. */
void mailbox_close(mailbox *box);

#endif
