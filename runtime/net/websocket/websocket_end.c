#include "net/websocket/websocket_end.h"

#include <stdlib.h>

void websocket_wake_all(websocket *w)
{
  operation_complete(&w->receiving);
  operation_complete(&w->closing);
  for (list_link *link; (link = list_take_first(&w->turns));)
    operation_complete(&container_of(link, websocket_turn, link)->op);
}

void websocket_set_failure(websocket *w, const error *why)
{
  if (w->failure) return;
  w->failure = malloc(sizeof *w->failure);
  if (w->failure) *w->failure = *why;
}

bool websocket_note_memory(websocket *w)
{
  size_t buffers = w->input.all.capacity + w->output.all.capacity + w->reader.message.capacity;
  return memory_account_change(&w->loop->memory, &w->held, buffers + w->queued);
}

void websocket_end(websocket *w)
{
  if (w->state == WEBSOCKET_OVER) return;
  w->state = WEBSOCKET_OVER;
  timer_stop(&w->clock);
  websocket_carrier_close(&w->carrier);
  byte_queue_free(&w->output);
  byte_queue_free(&w->input);
  websocket_reader_free(&w->reader);
  websocket_note_memory(w);
  websocket_wake_all(w);
}

void websocket_fail(websocket *w, const error *why)
{
  if (!w->code) w->code = WEBSOCKET_ABNORMAL;
  websocket_set_failure(w, why);
  websocket_end(w);
}

void websocket_fail_memory(websocket *w)
{
  error e;
  error_set(&e, ERROR_limit, NULL, "out of memory");
  websocket_fail(w, &e);
}
