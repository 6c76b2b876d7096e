#include "core/loop/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct mailbox {
  pthread_mutex_t lock; /* of the three below */
  loop *loop;           /* NULL: closed */
  mail *first, **last;
  atomic_uint references;
};

mailbox *mailbox_new(loop *l)
{
  mailbox *box = calloc(1, sizeof *box);
  if (!box) return NULL;
  pthread_mutex_init(&box->lock, NULL);
  box->loop = l;
  box->last = &box->first;
  atomic_init(&box->references, 1);
  return box;
}

void mailbox_ref(mailbox *box) { atomic_fetch_add(&box->references, 1); }

void mailbox_unref(mailbox *box)
{
  if (!box || atomic_fetch_sub(&box->references, 1) != 1) return;
  pthread_mutex_destroy(&box->lock);
  free(box);
}

bool mailbox_post(mailbox *box, mail *m)
{
  m->next = NULL;
  pthread_mutex_lock(&box->lock);
  bool open = box->loop != NULL;
  if (open) {
    bool first = !box->first; /* for the others the loop is being woken already */
    *box->last = m;
    box->last = &m->next;
    if (first) loop_wake(box->loop); /* under the lock: the loop cannot be closed meanwhile */
  }
  pthread_mutex_unlock(&box->lock);
  return open;
}

static mail *take_all(mailbox *box, bool closes)
{
  pthread_mutex_lock(&box->lock);
  mail *taken = box->first;
  box->first = NULL;
  box->last = &box->first;
  if (closes) box->loop = NULL;
  pthread_mutex_unlock(&box->lock);
  return taken;
}

void mailbox_deliver(mailbox *box)
{
  if (!box) return; /* there was no memory for it, and its runtime is closed again */
  for (mail *m = take_all(box, false), *next; m; m = next) {
    next = m->next;
    m->arrive(m);
  }
}

void mailbox_close(mailbox *box)
{
  if (!box) return;
  for (mail *m = take_all(box, true), *next; m; m = next) {
    next = m->next;
    m->drop(m);
  }
}
