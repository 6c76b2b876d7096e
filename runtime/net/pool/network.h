/* What all clients of one runtime share on the network side: libcurl's global state, the sockets and their
 * number, spare transfers, and the pools that wait for a free file descriptor. */
#ifndef LURCHER_NET_NETWORK_H
#define LURCHER_NET_NETWORK_H

#include "core/loop/loop.h"
#include "core/permit.h"
#include "net/curl/multi.h"
#include "net/pool/metrics.h"
#include "net/pool/run_limits.h"

struct pool;

typedef struct network {
  unsigned references; /* its owner's, and one for each pool: finalizers run in no order */
  loop *loop;
  multi_shared multis;
  metrics metrics;
  struct pool *pools; /* all of this runtime */
  size_t running;     /* transfers that libcurl has */
  size_t max_running; /* what the limit of file descriptors, and the host, leave for them */
  size_t max_body;    /* that any response's body may have in memory */
  bool starved;       /* a socket could not be made; lifted by the next that closes, or after a moment */
  timer retry_starved;
  uint64_t starved_wait; /* until the next look for a descriptor; 0: none was missing since one was freed */
  deferred admit_all;    /* let every pool look at its queue again */
  run_limits run_limits;
  const permit *permit; /* asked for names and addresses; NULL: everything is allowed */
  void *user;           /* of whoever made it */
} network;

/* Prepares libcurl (once per process) and the rest; one reference. NULL: libcurl could not start, or out of
 * memory. */
network *network_new(loop *l);
/* Why libcurl could not start: a static text. */
const char *network_failure(void);

void network_ref(network *n);
void network_unref(network *n);

/* A socket could not be opened for want of descriptors: transfers wait until one is free. Safe inside a
 * libcurl callback. */
void network_out_of_descriptors(network *n);

/* A transfer ended or a socket closed: requests that wait for a descriptor are tried again after this batch.
 */
void network_descriptor_freed(network *n);

/* False while a transfer must wait for a file descriptor. */
bool network_has_room(const network *n);

#endif
