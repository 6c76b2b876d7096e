#include "net/transfer/transfer_summary.h"

#include <string.h>

void transfer_summarize(transfer_summary *s, const transfer *t)
{
  s->times = t->times;
  s->rate_wait = t->admission.rate_wait;
  s->bytes_received = t->response.bytes_received + t->response.head.received;
  s->bytes_sent = t->exchange.bytes_sent;
  s->at = t->admission.state == ADMISSION_ENDED ? t->times.ended : clock_now(t->time);
  s->version = t->response.head.version;
  s->reused = t->exchange.connection == CONNECTION_REUSED;
  s->remote_port = t->exchange.remote_port;
  memcpy(s->reason, t->response.head.reason, sizeof s->reason);
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
      .status = t->response.head.status,
      .connected = t->exchange.connection != CONNECTION_NONE,
      .reused = t->exchange.connection == CONNECTION_REUSED,
      .http2 = t->response.head.version == 20,
      .bytes_received = t->response.bytes_received + t->response.head.received,
      .bytes_sent = t->exchange.bytes_sent,
      .waited = (times->dispatched ? times->dispatched : times->ended) - times->queued,
      .rate_wait = t->admission.rate_wait,
      .first_byte = span(times->dispatched, times->first_byte),
      .duration = span(times->dispatched, times->ended),
  };
}
