#include "net/websocket/websocket.h"

#include "net/websocket/websocket_end.h"
#include "net/websocket/websocket_input.h"
#include "net/websocket/websocket_internal.h"
#include "net/websocket/websocket_output.h"

#include <stdlib.h>
#include <string.h>

static void on_lost(websocket_carrier *c, const error *cause)
{
  websocket *w = container_of(c, websocket, carrier);
  error e;
  if (cause)
    e = *cause;
  else
    error_set(&e, ERROR_canceled, NULL, "the connection was closed");
  w->code = WEBSOCKET_ABNORMAL;
  websocket_set_failure(w, &e);
  w->state = WEBSOCKET_OVER;
  timer_stop(&w->clock);
  websocket_wake_all(w);
}

/* ---- clocks ---- */

static void on_clock(timer *t);

static void consider(uint64_t *due, uint64_t from, uint64_t limit)
{
  if (limit && from && from + limit < *due) *due = from + limit;
}

static uint64_t next_due(const websocket *w)
{
  uint64_t due = UINT64_MAX;
  if (w->close_due) due = w->close_due;
  consider(&due, w->stuck_at, w->options.write);
  if (w->state != WEBSOCKET_OPEN || !websocket_is_reading(w)) return due;
  if (w->pinged_at)
    consider(&due, w->pinged_at, w->options.ping);
  else
    consider(&due, w->heard_at, w->options.ping);
  return due;
}

/* Activity only notes its time; on_clock finds out how much is left. */
static void watch_clock(websocket *w)
{
  uint64_t due = next_due(w);
  if (due == UINT64_MAX || w->state == WEBSOCKET_OVER) return;
  if (timer_active(&w->clock) && w->clock.due <= due) return;
  if (!clock_start(w->time, &w->clock, due, on_clock)) websocket_fail_memory(w);
}

static void time_out(websocket *w, const char *phase, uint64_t limit, const char *what)
{
  error e;
  double seconds = (double)limit / NANOSECONDS;
  error_set(&e, ERROR_timeout, phase, "%s %s (limit: %g s)",
            pool_origin_name(&w->carrier.transfer->admission), what, seconds);
  e.limit = seconds;
  websocket_fail(w, &e);
}

/* ---- events ---- */

/* Nothing is to follow the close frames of both sides. */
static bool is_done(const websocket *w)
{
  return w->answered_close && w->sent_code && !byte_queue_length(&w->output);
}

static void settle(websocket *w)
{
  if (w->state == WEBSOCKET_OVER) return;
  if (is_done(w)) {
    websocket_end(w);
    return;
  }
  if (!websocket_note_memory(w)) {
    websocket_fail_memory(w);
    return;
  }
  websocket_carrier_watch(&w->carrier, websocket_wants_bytes(w), byte_queue_length(&w->output) > 0);
  watch_clock(w);
}

static void on_ready(websocket_carrier *c)
{
  websocket *w = container_of(c, websocket, carrier);
  bool reads = c->may_read;
  c->may_read = false;
  websocket_flush(w);
  if (reads && w->state != WEBSOCKET_OVER) websocket_read_all(w);
  /* TLS may have had to read before it could write, and answers are better sent at once. */
  if (w->state != WEBSOCKET_OVER && byte_queue_length(&w->output)) websocket_flush(w);
  settle(w);
}

static void ping(websocket *w)
{
  w->pinged_at = websocket_now(w);
  if (!websocket_queue_frame(w, WEBSOCKET_PING, false, "", 0)) websocket_fail_memory(w);
}

/* A large message on its way lets no pong pass, but its bytes tell that the other side lives. */
static bool is_alive(const websocket *w)
{
  return websocket_reader_is_busy(&w->reader) && w->heard_at + w->options.ping > websocket_now(w);
}

static void check_pings(websocket *w)
{
  const websocket_options *o = &w->options;
  uint64_t now = websocket_now(w);
  if (w->state != WEBSOCKET_OPEN || !o->ping || !websocket_is_reading(w)) return;
  if (!w->pinged_at) {
    if (w->heard_at + o->ping <= now) ping(w);
    return;
  }
  if (w->pinged_at + o->ping > now) return;
  if (byte_queue_length(&w->output)) { /* it may not have gone out yet */
    w->pinged_at = now;
    return;
  }
  websocket_read_all(w); /* the loop may have been held for long */
  if (w->state != WEBSOCKET_OPEN || !w->pinged_at) return;
  if (is_alive(w))
    w->pinged_at = w->heard_at;
  else
    time_out(w, "read", o->ping, "answered no ping in time");
}

static void on_clock(timer *t)
{
  websocket *w = container_of(t, websocket, clock);
  uint64_t now = websocket_now(w);
  if (w->close_due && w->close_due <= now) {
    if (w->answered_close)
      websocket_end(w);
    else
      time_out(w, "read", WEBSOCKET_CLOSE_LIMIT, "did not answer the close frame in time");
  } else if (w->stuck_at && w->options.write && w->stuck_at + w->options.write <= now) {
    time_out(w, "write", w->options.write, "takes nothing of what was sent");
  } else {
    check_pings(w);
    settle(w);
  }
}

/* ---- for its user ---- */

websocket *websocket_new(transfer *t)
{
  websocket *w = calloc(1, sizeof *w);
  if (!w) {
    transfer_free(t);
    return NULL;
  }
  w->loop = t->pool->network->loop;
  w->time = t->time;
  w->last = &w->first;
  w->pong_length = WEBSOCKET_NO_PONG;
  w->input_limit = WEBSOCKET_QUEUE_LIMIT;
  list_init(&w->turns);
  w->carrier.on_ready = on_ready;
  w->carrier.on_lost = on_lost;
  if (!websocket_carrier_open(&w->carrier, t)) {
    websocket_free(w);
    return NULL;
  }
  w->external = t->exchange.external;
  websocket_note_waiting(w);
  settle(w);
  return w;
}

void websocket_free(websocket *w)
{
  websocket_end(w);
  websocket_carrier_close(&w->carrier);
  websocket_reader_free(&w->reader);
  byte_queue_free(&w->output);
  byte_queue_free(&w->input);
  websocket_handshake_free(w->handshake);
  timer_stop(&w->patience);
  operation_reset(&w->receiving);
  operation_reset(&w->closing);
  for (websocket_message *m; (m = websocket_take(w));) websocket_message_free(m);
  websocket_note_memory(w);
  free(w->failure);
  free(w);
}

bool websocket_handshake_write(websocket *w, const char *bytes, size_t length)
{
  if (w->state != WEBSOCKET_SHAKING) return true;
  if (!byte_queue_append(&w->output, bytes, length)) return false;
  websocket_carrier_look(&w->carrier);
  return true;
}

handshake_state websocket_handshake_read(websocket *w, size_t max_headers, error *e)
{
  if (!w->handshake && !(w->handshake = websocket_handshake_new(max_headers))) {
    error_set(e, ERROR_limit, NULL, "out of memory");
    return HANDSHAKE_BROKEN;
  }
  handshake_state state = websocket_handshake_look(w->handshake, &w->input, e);
  w->input_limit =
      byte_queue_length(&w->input) + WEBSOCKET_QUEUE_LIMIT; /* a long line grows up to max_headers */
  websocket_carrier_look(&w->carrier);
  return state;
}

bool websocket_begin(websocket *w, const websocket_options *options)
{
  transfer *t = w->carrier.transfer;
  if (w->state != WEBSOCKET_SHAKING) return true; /* it is over already */
  websocket_handshake_free(w->handshake);
  w->handshake = NULL;
  w->options = *options;
  w->reader.max_message = options->max_message;
  if (options->deflates && !(w->reader.deflate = websocket_deflate_new(&options->deflate))) return false;
  w->state = WEBSOCKET_OPEN;
  w->ended_input = false; /* if it came with the answer, it is met again, behind the frames */
  w->heard_at = websocket_now(w);
  /* For the metrics: a request that was answered. */
  t->response.head.status = 101;
  t->response.head.complete = t->response.streaming = true;
  pool_answer_read(&t->admission, true);
  websocket_carrier_look(&w->carrier);
  settle(w);
  return true;
}

websocket_message *websocket_take(websocket *w)
{
  websocket_message *m = w->first;
  if (!m) return NULL;
  bool was_full = w->queued >= WEBSOCKET_QUEUE_LIMIT;
  w->first = m->next;
  if (!w->first) w->last = &w->first;
  w->queued -= sizeof *m + m->length;
  websocket_note_memory(w);
  if (was_full && w->queued < WEBSOCKET_QUEUE_LIMIT && w->state == WEBSOCKET_OPEN) {
    w->heard_at = websocket_now(w); /* it was us who did not listen */
    if (w->pinged_at) w->pinged_at = w->heard_at;
    websocket_carrier_look(&w->carrier);
  }
  return m;
}

void websocket_message_free(websocket_message *m)
{
  if (m->is_apart) free(m->bytes);
  free(m);
}

static bool queue_compressed(websocket *w, websocket_opcode opcode, const char *bytes, size_t length)
{
  buffer packed = {0};
  bool ok = websocket_deflate_write(w->reader.deflate, bytes, length, &packed) &&
            websocket_queue_frame(w, opcode, true, packed.bytes, packed.length);
  buffer_free(&packed);
  return ok;
}

websocket_sent websocket_send(websocket *w, websocket_opcode opcode, const char *bytes, size_t length)
{
  if (w->state != WEBSOCKET_OPEN || w->failure) return WEBSOCKET_REFUSED;
  if (!websocket_has_room(w)) websocket_flush(w);
  if (w->state != WEBSOCKET_OPEN || w->failure) return WEBSOCKET_REFUSED;
  if (!websocket_has_room(w)) {
    settle(w);
    return WEBSOCKET_WAIT;
  }
  bool compresses = length && w->reader.deflate && websocket_deflate_can_write(w->reader.deflate);
  bool ok = compresses ? queue_compressed(w, opcode, bytes, length)
                       : websocket_queue_frame(w, opcode, false, bytes, length);
  websocket_next_turn(w);
  ok = websocket_note_memory(w) && ok;
  return ok ? WEBSOCKET_SENT : WEBSOCKET_SEND_NO_MEMORY;
}

void websocket_await_turn(websocket *w, websocket_turn *turn) { list_append(&w->turns, &turn->link); }

static void drop_messages(websocket *w)
{
  for (websocket_message *m; (m = websocket_take(w));) websocket_message_free(m);
}

void websocket_close(websocket *w, unsigned code, const char *reason, size_t length)
{
  if (w->state != WEBSOCKET_OPEN) return;
  websocket_start_closing(w, code, reason, length);
  drop_messages(w);
  websocket_carrier_look(&w->carrier);
  settle(w);
}

void websocket_abort(websocket *w, unsigned code)
{
  error e;
  if (w->state == WEBSOCKET_OVER) return;
  if (code && w->state != WEBSOCKET_SHAKING && !w->sent_code) {
    websocket_start_closing(w, code, "", 0);
    if (w->state != WEBSOCKET_OVER) websocket_flush(w);
  }
  error_set(&e, ERROR_closed, NULL, "the connection was closed on this side");
  websocket_fail(w, &e);
}

void websocket_note_waiting(websocket *w)
{
  bool waits = w->receiving.state == OPERATION_PENDING || w->closing.state == OPERATION_PENDING ||
               list_first(&w->turns);
  if (w->state != WEBSOCKET_OVER) transfer_set_external(w->carrier.transfer, w->external && waits);
}
