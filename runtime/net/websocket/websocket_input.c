#include "net/websocket/websocket_input.h"

#include "net/websocket/websocket_end.h"
#include "net/websocket/websocket_internal.h"
#include "net/websocket/websocket_output.h"

#include <stdlib.h>
#include <string.h>

enum {
  READ_SIZE = 16 * 1024,
  MAX_READS = 16, /* at once: others have their turn */
  APART = 4096    /* messages of that length are not copied */
};

bool websocket_is_reading(const websocket *w)
{
  return !w->ended_input && (w->state == WEBSOCKET_CLOSING || w->queued < WEBSOCKET_QUEUE_LIMIT);
}

static void on_closed(websocket *w)
{
  const websocket_input *reason = &w->reader.found;
  w->answered_close = true;
  w->code = w->reader.close_code;
  w->reason_length = reason->length;
  memcpy(w->reason, reason->bytes, reason->length);
  websocket_start_closing(w, w->code == WEBSOCKET_NO_CODE ? 0 : w->code, "", 0);
  operation_complete(&w->receiving); /* nothing more will come */
}

/* The close frame is sent if that is possible now; there is no waiting for an answer. */
static void on_broken(websocket *w)
{
  websocket_set_failure(w, &w->reader.fault);
  w->code = w->reader.close_code;
  websocket_abort(w, w->code);
}

static websocket_message *new_message(websocket *w)
{
  websocket_reader *r = &w->reader;
  bool is_apart = r->found.length >= APART;
  websocket_message *m = malloc(sizeof *m + (is_apart ? 0 : r->found.length));
  if (!m) return NULL;
  *m = (websocket_message){.opcode = r->opcode, .length = r->found.length, .is_apart = is_apart};
  if (is_apart) {
    m->bytes = r->message.bytes;
    r->message = (buffer){0};
  } else {
    m->bytes = (char *)(m + 1);
    memcpy(m->bytes, r->found.bytes, r->found.length);
  }
  return m;
}

static void on_message(websocket *w)
{
  if (w->state != WEBSOCKET_OPEN) return; /* closed by us: nobody wants it */
  websocket_message *m = new_message(w);
  if (!m) {
    websocket_fail_memory(w);
    return;
  }
  *w->last = m;
  w->last = &m->next;
  w->queued += sizeof *m + m->length;
  operation_complete(&w->receiving);
}

static void on_pinged(websocket *w)
{
  websocket_queue_pong(w);
  w->pong_length = (unsigned char)w->reader.found.length;
  memcpy(w->pong, w->reader.found.bytes, w->pong_length);
  websocket_queue_pong(w);
}

/* False: there is no more to do with the input for now. */
static bool take_one(websocket *w, websocket_input *input)
{
  switch (websocket_reader_next(&w->reader, input)) {
  case WEBSOCKET_MESSAGE:
    on_message(w);
    break;
  case WEBSOCKET_PINGED:
    on_pinged(w);
    break;
  case WEBSOCKET_PONGED:
    w->pinged_at = 0;
    break;
  case WEBSOCKET_CLOSED:
    on_closed(w);
    return false;
  case WEBSOCKET_BROKEN:
    on_broken(w);
    return false;
  case WEBSOCKET_MORE:
    return false;
  }
  return w->state != WEBSOCKET_OVER;
}

/* What is left of it, for want of room in the queue, is kept; the reader, too, may hold some of it. */
static void parse(websocket *w, websocket_input *input)
{
  bool has_more = true;
  while (has_more && websocket_is_reading(w)) has_more = take_one(w, input);
  if (w->state == WEBSOCKET_OVER || w->answered_close || !input->length) return;
  if (!byte_queue_append(&w->input, input->bytes, input->length)) websocket_fail_memory(w);
}

static void parse_kept(websocket *w)
{
  byte_queue kept = w->input;
  websocket_input input = {byte_queue_front(&kept), byte_queue_length(&kept)};
  w->input = (byte_queue){0};
  parse(w, &input);
  byte_queue_free(&kept);
}

/* Without a close frame. */
static void on_input_end(websocket *w, const error *why)
{
  error e;
  w->ended_input = true;
  if (w->state == WEBSOCKET_SHAKING) {
    if (why) websocket_set_failure(w, why);
    operation_complete(&w->receiving);
    return;
  }
  if (!why) {
    error_set(&e, ERROR_closed, "read", "%s closed the connection without a close frame",
              pool_origin_name(&w->carrier.transfer->admission));
    why = w->failure ? w->failure : &e;
  }
  websocket_fail(w, why);
}

static void take_bytes(websocket *w, const char *bytes, size_t length)
{
  websocket_input input = {bytes, length};
  run_limits *limits = &w->carrier.transfer->pool->network->run_limits;
  w->heard_at = websocket_now(w);
  if (!run_limits_receive(limits, length)) {
    run_limits_refused(limits);
    websocket_fail(w, &limits->reason);
  } else if (w->state == WEBSOCKET_SHAKING) {
    if (!byte_queue_append(&w->input, bytes, length)) websocket_fail_memory(w);
    operation_complete(&w->receiving);
  } else {
    parse(w, &input);
  }
}

bool websocket_wants_bytes(const websocket *w)
{
  if (w->state == WEBSOCKET_OVER || w->ended_input || w->answered_close) return false;
  if (w->state == WEBSOCKET_SHAKING) return byte_queue_length(&w->input) < w->input_limit;
  return websocket_is_reading(w);
}

void websocket_read_all(websocket *w)
{
  char bytes[READ_SIZE];
  size_t length;
  error e;
  bool holds_input = byte_queue_length(&w->input) || w->reader.frames;
  if (holds_input && w->state != WEBSOCKET_SHAKING) parse_kept(w);
  for (int reads = 0; websocket_wants_bytes(w); reads++) {
    if (reads == MAX_READS) {
      websocket_carrier_look(&w->carrier);
      return;
    }
    carrier_result result = websocket_carrier_read(&w->carrier, bytes, sizeof bytes, &length, &e);
    if (result == CARRIER_MOVED)
      take_bytes(w, bytes, length);
    else if (result != CARRIER_BLOCKED)
      on_input_end(w, result == CARRIER_FAILED ? &e : NULL);
    if (result != CARRIER_MOVED || w->state == WEBSOCKET_OVER || !w->carrier.read_again) return;
  }
}
