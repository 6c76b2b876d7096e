/* One request as its pool sees it: it waits at its origin, then holds a slot, then has ended. What it carries
 * belongs to the struct that embeds it (net/transfer/transfer.h), what is known of its origin to the pool:
 * neither looks into the other. */
#ifndef LURCHER_NET_ADMISSION_H
#define LURCHER_NET_ADMISSION_H

#include "core/error.h"
#include "net/curl/multi.h"
#include "net/flow/queue.h"
#include "net/pool/metrics.h"
#include "net/pool/stream_gate.h"

typedef struct admission admission;

typedef enum { ADMISSION_WAITING, ADMISSION_RUNNING, ADMISSION_ENDED } admission_state;

typedef struct {
  /* Its turn has come: it runs on `multi`, with `share` (NULL: without one). It may end at once. */
  void (*start)(admission *a, CURLSH *share);

  /* It has to end, for this reason. pool_leave is called before this returns. */
  void (*end)(admission *a, const error *why);
} admission_class;

struct admission {
  queue_item item; /* in its origin's queue, or in the pool's list of those that run */
  const admission_class *class;
  uint64_t deadline; /* its time is over then; 0: `total` after it starts */
  uint64_t total;    /* nanoseconds; 0: it may take for ever */

  /* The pool's. */
  struct origin *origin; /* NULL: it was not submitted */
  struct origin_group *group;
  stream_ticket ticket;
  uint8_t state : 7;  /* an admission_state */
  uint8_t unread : 1; /* counted as such by its origin's throttle, which it passed in `round` */
  bool granted;       /* its start was counted in the network's run limits */
  uint16_t shard;     /* the number of its multi */
  uint32_t round;
  uint32_t passed_at;     /* as throttle_time has it */
  multi *multi;           /* where it runs */
  uint64_t closed_before; /* how long its origin's throttle had been closed when it came */
  uint64_t rate_wait;     /* nanoseconds that it waited for a rate, a hold or a limiter */
  metrics_series *series; /* it is counted in; NULL: none */
};

/* It is counted as one that waits in that series from now on (NULL: in none). */
void admission_count_in(admission *a, metrics_series *s);

void admission_set_state(admission *a, admission_state state);

#endif
