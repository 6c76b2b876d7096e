#include "net/websocket/websocket_output.h"

#include "net/websocket/websocket_end.h"
#include "net/websocket/websocket_internal.h"

#include <string.h>

bool websocket_has_room(const websocket *w) { return byte_queue_length(&w->output) < WEBSOCKET_OUTPUT_LIMIT; }

bool websocket_queue_frame(websocket *w, websocket_opcode opcode, bool compressed, const char *bytes,
                           size_t length)
{
  byte_queue *q = &w->output;
  if (q->taken > WEBSOCKET_OUTPUT_LIMIT) { /* while it goes out it must not grow for ever */
    memmove(q->all.bytes, byte_queue_front(q), byte_queue_length(q));
    q->all.length -= q->taken;
    q->taken = 0;
  }
  if (!websocket_write(&q->all, opcode, compressed, bytes, length)) return false;
  websocket_carrier_look_to_write(&w->carrier);
  return true;
}

void websocket_queue_pong(websocket *w)
{
  if (w->pong_length == WEBSOCKET_NO_PONG || !websocket_has_room(w) || w->state != WEBSOCKET_OPEN) return;
  size_t length = w->pong_length;
  w->pong_length = WEBSOCKET_NO_PONG;
  if (!websocket_queue_frame(w, WEBSOCKET_PONG, false, w->pong, length)) websocket_fail_memory(w);
}

void websocket_next_turn(websocket *w)
{
  if (!websocket_has_room(w)) return;
  list_link *link = list_take_first(&w->turns);
  if (link) operation_complete(&container_of(link, websocket_turn, link)->op);
}

static bool write_some(websocket *w)
{
  size_t length = byte_queue_length(&w->output), written;
  error e;
  carrier_result result =
      websocket_carrier_write(&w->carrier, byte_queue_front(&w->output), length, &written, &e);
  byte_queue_take(&w->output, written);
  if (written) w->stuck_at = 0;
  if (result == CARRIER_MOVED) return true;
  if (result == CARRIER_BLOCKED && !w->stuck_at) w->stuck_at = websocket_now(w);
  if (result != CARRIER_FAILED) return false;
  byte_queue_take(&w->output, byte_queue_length(&w->output));
  websocket_set_failure(w, &e); /* what the other side said before may still be there to be read */
  w->stuck_at = 0;
  return false;
}

void websocket_flush(websocket *w)
{
  do websocket_queue_pong(w);
  while (w->state != WEBSOCKET_OVER && byte_queue_length(&w->output) && write_some(w));
  if (w->state == WEBSOCKET_OVER) return;
  if (!byte_queue_length(&w->output)) {
    w->stuck_at = 0;
    if (w->output.all.capacity > WEBSOCKET_OUTPUT_LIMIT || w->state != WEBSOCKET_OPEN || !w->queued)
      byte_queue_free(&w->output); /* an idle connection should hold no memory */
  }
  websocket_next_turn(w);
}

void websocket_start_closing(websocket *w, unsigned code, const char *reason, size_t length)
{
  if (w->state == WEBSOCKET_OPEN) w->state = WEBSOCKET_CLOSING;
  if (!w->sent_code) {
    w->sent_code = code ? code : WEBSOCKET_NO_CODE;
    if (!websocket_write_close(&w->output.all, code, reason, length)) websocket_fail_memory(w);
    websocket_carrier_look_to_write(&w->carrier);
  }
  w->close_due = websocket_now(w) + WEBSOCKET_CLOSE_LIMIT;
}
