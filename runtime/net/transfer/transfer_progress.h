/* How far a transfer is, for somebody who looks at it from time to time. */
#ifndef LURCHER_NET_TRANSFER_PROGRESS_H
#define LURCHER_NET_TRANSFER_PROGRESS_H

#include <stdint.h>

typedef struct {
  unsigned references;
  uint64_t sent, received;              /* bytes of the bodies */
  int64_t length_sent, length_received; /* of the whole bodies; -1: not known (yet) */
} transfer_progress;

/* Counts one reference. NULL: out of memory. */
transfer_progress *transfer_progress_new(void);

void transfer_progress_ref(transfer_progress *p);
void transfer_progress_unref(transfer_progress *p);

#endif
