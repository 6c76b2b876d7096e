/* The sockets that came to rest between two exchanges lately. libcurl asks for them one by one as it takes
 * them for requests; one system call looks at all of them, and what it saw holds for a moment. */
#ifndef LURCHER_NET_RESTING_H
#define LURCHER_NET_RESTING_H

#include "net/curl/watcher.h"

enum { MAX_RESTING = 64 };

typedef struct {
  struct {
    int fd;
    uint64_t since, quiet_until;
  } places[MAX_RESTING];
  unsigned next;
} resting_sockets;

/* Its exchange is over. `now` here and below: nanoseconds of any one clock. May be called by libcurl's
 * callbacks, as all of these. */
void resting_add(resting_sockets *r, watcher *w, uint64_t now);

/* It is about to be used for another exchange: whether nothing could be read on it 100 µs ago or less. False:
 * ask it. */
bool resting_is_quiet(resting_sockets *r, const watcher_table *table, watcher *w, uint64_t now);

#endif
