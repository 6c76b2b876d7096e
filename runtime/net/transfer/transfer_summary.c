#include "net/transfer/transfer_summary.h"

#include <string.h>

void transfer_summarize(transfer_summary *s, const transfer *t)
{
  s->times = t->times;
  s->bytes_received = t->bytes_received + t->head.received;
  s->bytes_sent = t->bytes_sent;
  s->at = t->state == TRANSFER_ENDED ? t->times.ended : clock_now(t->time);
  s->version = t->head.version;
  s->reused = t->reused;
  s->remote_port = t->remote_port;
  memcpy(s->reason, t->head.reason, sizeof s->reason);
  s->remote_address[0] = 0;
  if (t->handle) memcpy(s->remote_address, t->handle->remote_address, sizeof s->remote_address);
}
