/* The sockets that came to rest between two exchanges lately. libcurl asks for them one by one as it takes
 * them for requests; one system call looks at all of them, and what it saw holds for a moment. */
#ifndef LURCHER_NET_RESTING_H
#define LURCHER_NET_RESTING_H

#include "net/curl/watcher.h"

enum { MAX_RESTING = 64 };

typedef struct {
  struct {
    int fd;
    unsigned since; /* how many had come to rest before */
    uint64_t quiet_until;
  } places[MAX_RESTING];
  unsigned next, count;
} resting_sockets;

/* Its exchange is over. May be called by libcurl's callbacks, as all of these. */
void resting_add(resting_sockets *r, watcher *w);

/* It is about to be used for another exchange: whether nothing could be read on it a moment ago. False: ask
 * it. `now`: nanoseconds of any one clock. */
bool resting_is_quiet(resting_sockets *r, const watcher_table *table, watcher *w, uint64_t now);

#endif
