#include "net/transfer/transfer_body.h"

#include "net/transfer/transfer_limits.h"
#include "net/transfer/transfer_memory.h"

enum { MAX_DISCARDED = 64 * 1024 };

static const uint64_t DISCARD_TIME = 100 * MILLISECOND;

/* What does not decode, or is too large. */
static void fail_body(transfer *t, const error *e)
{
  transfer_fail_reading(t, e); /* the first failure stays */
  if (t->admission.state == ADMISSION_ENDED)
    operation_complete(&t->op);
  else
    transfer_stop(t);
}

/* Once little is left; or when the reader cannot use what there is, as with a long line. */
static void let_continue(transfer *t)
{
  if (t->exchange.flow != FLOW_PAUSED || t->admission.state != ADMISSION_RUNNING) return;
  if (!transfer_response_needs_more(&t->response)) return;
  t->exchange.flow = FLOW_ON;
  t->exchange.active_at = clock_now(t->time);
  transfer_limits_watch(t);
  if (t->request.played) {
    if (t->rider) t->rider->more(t->rider);
    return;
  }
  /* What libcurl held comes now, and it may be paused again. */
  t->response.held_comes = t->response.head.version == 20;
  CURLcode code = curl_easy_pause(t->handle->easy, CURLPAUSE_CONT);
  t->response.held_comes = false;
  if (code == CURLE_OK) return;
  error_set(transfer_failure(t), ERROR_limit, "read", "out of memory"); /* unless a failure is set */
  transfer_stop(t);
}

/* All of an encoded body was decoded: was its end there? */
static void finish_decoding(transfer *t)
{
  error e;
  if (!transfer_response_end_decoding(&t->response, &e)) transfer_fail_reading(t, &e);
}

/* ---- one step after the other ---- */

static void on_turn(deferred *d);

static void go_on_later(transfer *t)
{
  t->exchange.turn.run = on_turn;
  loop_defer(t->pool->network->loop, &t->exchange.turn);
}

bool transfer_decode(transfer *t)
{
  error e;
  if (!t->response.decoder) return true;
  if (!transfer_memory_decode(t, SIZE_MAX, &e)) {
    transfer_fail_reading(t, &e);
    return false;
  }
  if (t->response.undecoded) go_on_later(t);
  return true;
}

static void gather_more(transfer *t)
{
  error e;
  if (t->response.decoder && !transfer_memory_decode(t, SIZE_MAX, &e)) {
    fail_body(t, &e);
    return;
  }
  let_continue(t);
  if (t->failure) return;
  if (t->response.undecoded) {
    if (!transfer_response_waits_for_sink(&t->response)) go_on_later(t);
  } else if (t->admission.state == ADMISSION_ENDED) {
    finish_decoding(t);
    timer_stop(&t->exchange.clock);
    operation_complete(&t->op);
  }
}

static void on_turn(deferred *d)
{
  transfer *t = container_of(d, transfer, exchange.turn);
  t->response.decoded = 0;
  if (t->response.streaming)
    operation_complete(&t->op); /* its reader goes on */
  else
    gather_more(t);
}

bool transfer_decodes_rest(transfer *t)
{
  if (t->failure || !t->response.undecoded) return false;
  transfer_limits_watch(t);
  if (t->response.streaming) return false; /* its reader decodes */
  go_on_later(t);
  return true;
}

void transfer_body_give_up(transfer *t)
{
  error ignored;
  transfer_response_end_decoding(&t->response, &ignored);
}

void transfer_body_stop(transfer *t)
{
  timer_stop(&t->exchange.clock);
  loop_undefer(t->pool->network->loop, &t->exchange.turn);
}

/* ---- streams ---- */

/* Decodes what is there and lets more come until `wanted` bytes are there, or only the network or another
 * turn can bring more. */
static void supply(transfer *t, size_t wanted)
{
  transfer_response *r = &t->response;
  error e;
  do {
    if (!transfer_memory_decode(t, wanted, &e)) {
      transfer_fail_reading(t, &e);
      transfer_stop(t);
      finish_decoding(t);
      return;
    }
    let_continue(t);
  } while (r->decoder && byte_queue_length(&r->body) < wanted && r->undecoded &&
           !transfer_response_is_tired(r));
}

transfer_supply transfer_available(transfer *t, size_t wanted)
{
  transfer_response *r = &t->response;
  r->wanted = wanted;
  supply(t, wanted);
  if (byte_queue_length(&r->body) >= wanted) return TRANSFER_BYTES;
  if (r->decoder && r->undecoded) {
    go_on_later(t);
    return TRANSFER_MORE_TO_COME;
  }
  if (t->admission.state != ADMISSION_ENDED) return TRANSFER_MORE_TO_COME;
  finish_decoding(t);
  return t->failure ? TRANSFER_FAILED : TRANSFER_COMPLETE;
}

/* ---- responses that were undecided ---- */

static bool refuse_large(transfer *t)
{
  error e;
  if (transfer_response_fits(&t->response, &e)) return false;
  fail_body(t, &e);
  return true;
}

void transfer_gather(transfer *t)
{
  t->request.streaming = t->response.streaming = false;
  if (t->failure)
    operation_complete(&t->op);
  else if (!refuse_large(t))
    gather_more(t);
}

void transfer_pour(transfer *t, body_sink *sink)
{
  error e;
  t->request.streaming = t->response.streaming = false;
  if (!transfer_memory_pour(t, sink, &e))
    fail_body(t, &e);
  else if (t->failure)
    operation_complete(&t->op);
  else
    gather_more(t);
}

void transfer_go_on(transfer *t, const error *why)
{
  bool is_over = t->failure || (t->admission.state == ADMISSION_ENDED && !t->response.undecoded);
  if (is_over) return;
  if (why)
    transfer_fail_with(t, why);
  else
    gather_more(t);
}

bool transfer_discards_enough(const transfer *t, size_t more)
{
  return t->exchange.discard_until && t->response.bytes_received + more > MAX_DISCARDED;
}

bool transfer_discard(transfer *t)
{
  const head *h = &t->response.head;
  bool has_length = !transfer_response_has_no_body(&t->response) && h->content_length >= 0 && !h->chunked;
  if (t->admission.state == ADMISSION_ENDED || !transfer_request_is_sent(&t->request)) return false;
  if (has_length && h->content_length > MAX_DISCARDED) return false;
  t->exchange.discard_until = clock_now(t->time) + DISCARD_TIME;
  if (transfer_discards_enough(t, 0)) return false;
  t->request.streaming = false; /* only its end is of interest */
  transfer_limits_changed(t);
  let_continue(t);
  return true;
}
