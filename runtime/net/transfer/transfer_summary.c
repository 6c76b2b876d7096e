#include "net/transfer/transfer_summary.h"

#include <string.h>

void outcome_take(outcome *o, const transfer *t)
{
  o->times = t->times;
  o->bytes_received = t->bytes_received + t->head.received;
  o->bytes_sent = t->bytes_sent;
  o->at = t->state == TRANSFER_ENDED ? t->times.ended : clock_now(t->time);
  o->version = t->head.version;
  o->reused = t->reused;
  o->remote_port = t->remote_port;
  memcpy(o->reason, t->head.reason, sizeof o->reason);
  o->remote_address[0] = 0;
  if (t->handle) memcpy(o->remote_address, t->handle->remote_address, sizeof o->remote_address);
}
