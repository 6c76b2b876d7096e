#include "net/transfer/transfer_summary.h"

#include <string.h>

void transfer_summarize(transfer_summary *s, const transfer *t)
{
  s->times = t->times;
  s->rate_wait = t->admission.rate_wait;
  s->bytes_received = t->bytes_received + t->head.received;
  s->bytes_sent = t->bytes_sent;
  s->at = t->admission.state == ADMISSION_ENDED ? t->times.ended : clock_now(t->time);
  s->version = t->head.version;
  s->reused = t->reused;
  s->remote_port = t->remote_port;
  memcpy(s->reason, t->head.reason, sizeof s->reason);
  s->remote_address[0] = 0;
  if (t->handle) memcpy(s->remote_address, t->handle->remote_address, sizeof s->remote_address);
}

static uint64_t span(uint64_t from, uint64_t to) { return from && to > from ? to - from : 0; }

metrics_attempt transfer_attempt(const transfer *t, bool given_up)
{
  const transfer_times *times = &t->times;
  error_kind kind = t->failure ? t->failure->kind : given_up ? ERROR_canceled : ERROR_KIND_COUNT;
  return (metrics_attempt){
      .failure = kind,
      .status = t->head.status,
      .connected = t->connected,
      .reused = t->reused,
      .bytes_received = t->bytes_received + t->head.received,
      .bytes_sent = t->bytes_sent,
      .waited = (times->dispatched ? times->dispatched : times->ended) - times->queued,
      .rate_wait = t->admission.rate_wait,
      .first_byte = span(times->dispatched, times->first_byte),
      .duration = span(times->dispatched, times->ended),
  };
}
