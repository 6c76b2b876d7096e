#include "net/transfer/transfer_progress.h"

#include <stdlib.h>

transfer_progress *transfer_progress_new(void)
{
  transfer_progress *p = malloc(sizeof *p);
  if (p) *p = (transfer_progress){.references = 1, .length_sent = -1, .length_received = -1};
  return p;
}

void transfer_progress_ref(transfer_progress *p) { p->references++; }

void transfer_progress_unref(transfer_progress *p)
{
  if (p && --p->references == 0) free(p);
}
