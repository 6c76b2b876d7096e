#include "net/websocket/websocket.h"

#include <stdlib.h>
#include <string.h>

enum {
  QUEUE_LIMIT = 64 * 1024,  /* messages that nobody takes hold the other side back */
  OUTPUT_LIMIT = 64 * 1024, /* what it does not read holds senders back */
  READ_SIZE = 16 * 1024,
  MAX_READS = 16, /* at once: others have their turn */
  APART = 4096,   /* messages of that length are not copied */
  NO_PONG = 255
};

static const uint64_t CLOSE_LIMIT = 3000 * MILLISECOND;

static uint64_t now_of(const websocket *w) { return clock_now(w->time); }

/* ---- the end ---- */

static void wake_all(websocket *w)
{
  operation_complete(&w->receiving);
  operation_complete(&w->closing);
  for (list_link *link; (link = list_take_first(&w->turns));)
    operation_complete(&container_of(link, websocket_turn, link)->op);
}

static void set_failure(websocket *w, const error *why)
{
  if (w->failure) return;
  w->failure = malloc(sizeof *w->failure);
  if (w->failure) *w->failure = *why;
}

/* Messages that came before are still there to be taken. */
static void end(websocket *w)
{
  if (w->state == WEBSOCKET_OVER) return;
  w->state = WEBSOCKET_OVER;
  timer_stop(&w->clock);
  websocket_carrier_close(&w->carrier);
  byte_queue_free(&w->output);
  byte_queue_free(&w->input);
  websocket_reader_free(&w->reader);
  wake_all(w);
}

static void fail(websocket *w, const error *why)
{
  if (!w->code) w->code = WEBSOCKET_ABNORMAL;
  set_failure(w, why);
  end(w);
}

static void fail_memory(websocket *w)
{
  error e;
  error_set(&e, ERROR_limit, NULL, "out of memory");
  fail(w, &e);
}

static void on_lost(websocket_carrier *c, const error *cause)
{
  websocket *w = container_of(c, websocket, carrier);
  error e;
  if (cause)
    e = *cause;
  else
    error_set(&e, ERROR_canceled, NULL, "the connection was closed");
  w->code = WEBSOCKET_ABNORMAL;
  set_failure(w, &e);
  w->state = WEBSOCKET_OVER;
  timer_stop(&w->clock);
  wake_all(w);
}

/* ---- clocks ---- */

static void on_clock(timer *t);

static void consider(uint64_t *due, uint64_t from, uint64_t limit)
{
  if (limit && from && from + limit < *due) *due = from + limit;
}

static bool is_reading(const websocket *w)
{
  return !w->ended_input && (w->state == WEBSOCKET_CLOSING || w->queued < QUEUE_LIMIT);
}

static uint64_t next_due(const websocket *w)
{
  uint64_t due = UINT64_MAX;
  if (w->close_due) due = w->close_due;
  consider(&due, w->stuck_at, w->options.write);
  if (w->state != WEBSOCKET_OPEN || !is_reading(w)) return due;
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
  if (!clock_start(w->time, &w->clock, due, on_clock)) fail_memory(w);
}

static void time_out(websocket *w, const char *phase, uint64_t limit, const char *what)
{
  error e;
  double seconds = (double)limit / NANOSECONDS;
  error_set(&e, ERROR_timeout, phase, "%s %s (limit: %g s)",
            pool_origin_name(&w->carrier.transfer->admission), what, seconds);
  e.limit = seconds;
  fail(w, &e);
}

/* ---- writing ---- */

static void flush(websocket *w);

static bool queue_frame(websocket *w, websocket_opcode opcode, bool compressed, const char *bytes,
                        size_t length)
{
  byte_queue *q = &w->output;
  if (q->taken > OUTPUT_LIMIT) { /* while it goes out it must not grow for ever */
    memmove(q->all.bytes, byte_queue_front(q), byte_queue_length(q));
    q->all.length -= q->taken;
    q->taken = 0;
  }
  if (!websocket_write(&q->all, opcode, compressed, bytes, length)) return false;
  websocket_carrier_look(&w->carrier);
  return true;
}

static bool has_room(const websocket *w) { return byte_queue_length(&w->output) < OUTPUT_LIMIT; }

/* The answer to the newest ping, unless so much waits that it would only add to it. */
static void queue_pong(websocket *w)
{
  if (w->pong_length == NO_PONG || !has_room(w) || w->state != WEBSOCKET_OPEN) return;
  size_t length = w->pong_length;
  w->pong_length = NO_PONG;
  if (!queue_frame(w, WEBSOCKET_PONG, false, w->pong, length)) fail_memory(w);
}

static void next_turn(websocket *w)
{
  if (!has_room(w)) return;
  list_link *link = list_take_first(&w->turns);
  if (link) operation_complete(&container_of(link, websocket_turn, link)->op);
}

/* Nothing is to follow the close frames of both sides. */
static bool is_done(const websocket *w)
{
  return w->answered_close && w->sent_code && !byte_queue_length(&w->output);
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
  if (result == CARRIER_BLOCKED && !w->stuck_at) w->stuck_at = now_of(w);
  if (result != CARRIER_FAILED) return false;
  byte_queue_take(&w->output, byte_queue_length(&w->output));
  set_failure(w, &e); /* what the other side said before may still be there to be read */
  w->stuck_at = 0;
  return false;
}

static void flush(websocket *w)
{
  do queue_pong(w);
  while (w->state != WEBSOCKET_OVER && byte_queue_length(&w->output) && write_some(w));
  if (w->state == WEBSOCKET_OVER) return;
  if (!byte_queue_length(&w->output)) {
    w->stuck_at = 0;
    if (w->output.all.capacity > OUTPUT_LIMIT || w->state != WEBSOCKET_OPEN || !w->queued)
      byte_queue_free(&w->output); /* an idle connection should hold no memory */
  }
  next_turn(w);
}

/* ---- reading ---- */

static void start_closing(websocket *w, unsigned code, const char *reason, size_t length)
{
  if (w->state == WEBSOCKET_OPEN) w->state = WEBSOCKET_CLOSING;
  if (!w->sent_code) {
    w->sent_code = code ? code : WEBSOCKET_NO_CODE;
    if (!websocket_write_close(&w->output.all, code, reason, length)) fail_memory(w);
    websocket_carrier_look(&w->carrier);
  }
  w->close_due = now_of(w) + CLOSE_LIMIT;
}

static void on_closed(websocket *w)
{
  const websocket_input *reason = &w->reader.found;
  w->answered_close = true;
  w->code = w->reader.close_code;
  w->reason_length = reason->length;
  memcpy(w->reason, reason->bytes, reason->length);
  start_closing(w, w->code == WEBSOCKET_NO_CODE ? 0 : w->code, "", 0);
  operation_complete(&w->receiving); /* nothing more will come */
}

/* The close frame is sent if that is possible now; there is no waiting for an answer. */
static void on_broken(websocket *w)
{
  set_failure(w, &w->reader.fault);
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
    fail_memory(w);
    return;
  }
  *w->last = m;
  w->last = &m->next;
  w->queued += sizeof *m + m->length;
  operation_complete(&w->receiving);
}

static void on_pinged(websocket *w)
{
  queue_pong(w);
  w->pong_length = (unsigned char)w->reader.found.length;
  memcpy(w->pong, w->reader.found.bytes, w->pong_length);
  queue_pong(w);
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
  while (has_more && is_reading(w)) has_more = take_one(w, input);
  if (w->state == WEBSOCKET_OVER || w->answered_close || !input->length) return;
  if (!byte_queue_append(&w->input, input->bytes, input->length)) fail_memory(w);
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
    if (why) set_failure(w, why);
    operation_complete(&w->receiving);
    return;
  }
  if (!why) {
    error_set(&e, ERROR_closed, "read", "%s closed the connection without a close frame",
              pool_origin_name(&w->carrier.transfer->admission));
    why = w->failure ? w->failure : &e;
  }
  fail(w, why);
}

static void take_bytes(websocket *w, const char *bytes, size_t length)
{
  websocket_input input = {bytes, length};
  run_limits *limits = &w->carrier.transfer->network->run_limits;
  w->heard_at = now_of(w);
  if (!run_limits_receive(limits, length)) {
    run_limits_refused(limits);
    fail(w, &limits->reason);
  } else if (w->state == WEBSOCKET_SHAKING) {
    if (!byte_queue_append(&w->input, bytes, length)) fail_memory(w);
    operation_complete(&w->receiving);
  } else {
    parse(w, &input);
  }
}

static bool wants_bytes(const websocket *w)
{
  if (w->state == WEBSOCKET_OVER || w->ended_input || w->answered_close) return false;
  if (w->state == WEBSOCKET_SHAKING) return byte_queue_length(&w->input) < w->input_limit;
  return is_reading(w);
}

static void read_all(websocket *w)
{
  char bytes[READ_SIZE];
  size_t length;
  error e;
  bool holds_input = byte_queue_length(&w->input) || w->reader.frames;
  if (holds_input && w->state != WEBSOCKET_SHAKING) parse_kept(w);
  for (int reads = 0; wants_bytes(w); reads++) {
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

/* ---- events ---- */

static void settle(websocket *w)
{
  if (w->state == WEBSOCKET_OVER) return;
  if (is_done(w)) {
    end(w);
    return;
  }
  websocket_carrier_watch(&w->carrier, wants_bytes(w), byte_queue_length(&w->output) > 0);
  watch_clock(w);
}

static void on_ready(websocket_carrier *c)
{
  websocket *w = container_of(c, websocket, carrier);
  flush(w);
  if (w->state != WEBSOCKET_OVER) read_all(w);
  /* TLS may have had to read before it could write, and answers are better sent at once. */
  if (w->state != WEBSOCKET_OVER && byte_queue_length(&w->output)) flush(w);
  settle(w);
}

static void ping(websocket *w)
{
  w->pinged_at = now_of(w);
  if (!queue_frame(w, WEBSOCKET_PING, false, "", 0)) fail_memory(w);
}

/* A large message on its way lets no pong pass, but its bytes tell that the other side lives. */
static bool is_alive(const websocket *w)
{
  return websocket_reader_is_busy(&w->reader) && w->heard_at + w->options.ping > now_of(w);
}

static void check_pings(websocket *w)
{
  const websocket_options *o = &w->options;
  uint64_t now = now_of(w);
  if (w->state != WEBSOCKET_OPEN || !o->ping || !is_reading(w)) return;
  if (!w->pinged_at) {
    if (w->heard_at + o->ping <= now) ping(w);
    return;
  }
  if (w->pinged_at + o->ping > now) return;
  if (byte_queue_length(&w->output)) { /* it may not have gone out yet */
    w->pinged_at = now;
    return;
  }
  read_all(w); /* the loop may have been held for long */
  if (w->state != WEBSOCKET_OPEN || !w->pinged_at) return;
  if (is_alive(w))
    w->pinged_at = w->heard_at;
  else
    time_out(w, "read", o->ping, "answered no ping in time");
}

static void on_clock(timer *t)
{
  websocket *w = container_of(t, websocket, clock);
  uint64_t now = now_of(w);
  if (w->close_due && w->close_due <= now) {
    if (w->answered_close)
      end(w);
    else
      time_out(w, "read", CLOSE_LIMIT, "did not answer the close frame in time");
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
  w->loop = t->network->loop;
  w->time = t->time;
  w->last = &w->first;
  w->pong_length = NO_PONG;
  w->input_limit = QUEUE_LIMIT;
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
  end(w);
  websocket_carrier_close(&w->carrier);
  websocket_reader_free(&w->reader);
  byte_queue_free(&w->output);
  byte_queue_free(&w->input);
  websocket_handshake_free(w->handshake);
  timer_stop(&w->patience);
  operation_reset(&w->receiving);
  operation_reset(&w->closing);
  for (websocket_message *m; (m = websocket_take(w));) websocket_message_free(m);
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
  w->input_limit = byte_queue_length(&w->input) + QUEUE_LIMIT; /* a long line grows up to max_headers */
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
  w->heard_at = now_of(w);
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
  bool was_full = w->queued >= QUEUE_LIMIT;
  w->first = m->next;
  if (!w->first) w->last = &w->first;
  w->queued -= sizeof *m + m->length;
  if (was_full && w->queued < QUEUE_LIMIT && w->state == WEBSOCKET_OPEN) {
    w->heard_at = now_of(w); /* it was us who did not listen */
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
            queue_frame(w, opcode, true, packed.bytes, packed.length);
  buffer_free(&packed);
  return ok;
}

websocket_sent websocket_send(websocket *w, websocket_opcode opcode, const char *bytes, size_t length)
{
  if (w->state != WEBSOCKET_OPEN || w->failure) return WEBSOCKET_REFUSED;
  if (!has_room(w)) flush(w);
  if (w->state != WEBSOCKET_OPEN || w->failure) return WEBSOCKET_REFUSED;
  if (!has_room(w)) {
    settle(w);
    return WEBSOCKET_WAIT;
  }
  bool compresses = length && w->reader.deflate && websocket_deflate_can_write(w->reader.deflate);
  bool ok =
      compresses ? queue_compressed(w, opcode, bytes, length) : queue_frame(w, opcode, false, bytes, length);
  next_turn(w);
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
  start_closing(w, code, reason, length);
  drop_messages(w);
  websocket_carrier_look(&w->carrier);
  settle(w);
}

void websocket_abort(websocket *w, unsigned code)
{
  error e;
  if (w->state == WEBSOCKET_OVER) return;
  if (code && w->state != WEBSOCKET_SHAKING && !w->sent_code) {
    start_closing(w, code, "", 0);
    if (w->state != WEBSOCKET_OVER) flush(w);
  }
  error_set(&e, ERROR_closed, NULL, "the connection was closed on this side");
  fail(w, &e);
}

void websocket_note_waiting(websocket *w)
{
  bool waits = w->receiving.state == OPERATION_PENDING || w->closing.state == OPERATION_PENDING ||
               list_first(&w->turns);
  if (w->state != WEBSOCKET_OVER) transfer_set_external(w->carrier.transfer, w->external && waits);
}
