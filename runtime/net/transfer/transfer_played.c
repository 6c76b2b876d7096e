#include "net/transfer/transfer_played.h"

#include "net/transfer/transfer_body.h"
#include "net/transfer/transfer_limits.h"
#include "net/transfer/transfer_receive.h"

#include <string.h>

static void note_activity(transfer *t) { t->exchange.active_at = clock_now(t->time); }

void transfer_played_begin(transfer *t)
{
  transfer_set_external(t, false);
  transfer_limits_watch(t);
  operation_complete(&t->op);
}

void transfer_played_connect(transfer *t)
{
  note_activity(t);
  t->times.connected = t->exchange.active_at;
  t->exchange.connection = CONNECTION_SOME;
  t->exchange.flow = FLOW_ON;
  transfer_limits_changed(t);
}

upload_state transfer_played_read(transfer *t, char *to, size_t room, size_t *got)
{
  *got = 0;
  if (!t->request.upload) return UPLOAD_END;
  upload_state state = upload_read(t->request.upload, to, room, got);
  t->exchange.uploaded += *got;
  t->exchange.bytes_sent = t->exchange.uploaded;
  if (t->request.progress) t->request.progress->sent = t->exchange.uploaded;
  t->exchange.upload_waits = state == UPLOAD_LATER;
  note_activity(t);
  if (state == UPLOAD_FAILED) {
    transfer_fail_upload(t);
    transfer_stop(t);
  } else if (transfer_request_is_sent(&t->request)) {
    transfer_limits_changed(t);
  }
  return state;
}

bool transfer_played_head(transfer *t, const char *bytes, size_t length)
{
  error e;
  note_activity(t);
  if (!t->times.first_byte) t->times.first_byte = t->exchange.active_at;
  while (length) {
    const char *end = memchr(bytes, '\n', length);
    size_t line = end ? (size_t)(end - bytes) + 1 : length;
    bool well = head_line(&t->response.head, bytes, line, &e);
    if (!well) transfer_fail_reading(t, &e);
    if (!well || !transfer_count_received(t, line)) {
      transfer_stop(t);
      return false;
    }
    bytes += line;
    length -= line;
  }
  if (t->response.head.complete) transfer_head_complete(t);
  return true;
}

bool transfer_played_is_full(transfer *t)
{
  bool is_full = !t->exchange.given_up && transfer_response_is_full(&t->response);
  if (is_full) t->exchange.flow = FLOW_PAUSED;
  return is_full;
}

bool transfer_played_body(transfer *t, const char *bytes, size_t length)
{
  note_activity(t);
  if (t->exchange.given_up || !length) return true;
  if (transfer_discards_enough(t, length)) {
    t->exchange.given_up = true;
    operation_complete(&t->op);
    return true;
  }
  if (transfer_take_body(t, bytes, length)) return true;
  transfer_stop(t);
  return false;
}

void transfer_played_end(transfer *t)
{
  t->exchange.close_notified = true;
  transfer_check_complete(t);
  transfer_stop(t);
}

void transfer_played_fail(transfer *t, const error *why)
{
  if (t->exchange.connection == CONNECTION_NONE) pool_origin_failed(&t->admission);
  transfer_fail_with(t, why);
}
