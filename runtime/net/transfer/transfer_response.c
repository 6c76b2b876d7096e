#include "net/transfer/transfer_response.h"

enum {
  STREAM_HIGH = 128 * 1024,  /* received and not yet taken: above, the peer is held back … */
  STREAM_LOW = 32 * 1024,    /* … until no more than this is left */
  HELD_HIGH = 1024 * 1024,   /* as STREAM_HIGH, of what libcurl already holds itself */
  PIECE = 16 * 1024,         /* decoded at a time */
  TURN = 64 * 1024,          /* decoded before others have their turn */
  BODY_GUESS = 1024 * 1024,  /* an announced length is believed up to here */
  MAX_KEPT_BODY = 16 * 1024, /* a larger buffer is not kept for the next response */
};

bool transfer_response_has_no_body(const transfer_response *r)
{
  return r->to_head || r->head.status == 204 || r->head.status == 304;
}

bool transfer_response_ends_with_connection(const transfer_response *r)
{
  const head *h = &r->head;
  return h->version < 20 && h->content_length < 0 && !h->chunked && !transfer_response_has_no_body(r);
}

static size_t stored(const transfer_response *r)
{
  return byte_queue_length(&r->raw) + byte_queue_length(&r->body);
}

bool transfer_response_waits_for_sink(const transfer_response *r)
{
  return r->sink && r->sink->is_full(r->sink);
}

bool transfer_response_is_full(const transfer_response *r)
{
  if (transfer_response_waits_for_sink(r)) return true;
  size_t high = r->held_comes ? HELD_HIGH : STREAM_HIGH;
  if (!r->streaming) return byte_queue_length(&r->raw) >= high;
  return stored(r) >= high && stored(r) >= r->wanted;
}

bool transfer_response_takes_more(const transfer_response *r, size_t more)
{
  return r->streaming && !r->decoder && !r->sink && stored(r) < STREAM_HIGH + more;
}

bool transfer_response_needs_more(const transfer_response *r)
{
  if (r->sink && !r->sink->has_room(r->sink)) return false;
  if (!r->streaming) return byte_queue_length(&r->raw) <= STREAM_LOW;
  return stored(r) <= STREAM_LOW || byte_queue_length(&r->body) < r->wanted;
}

static bool body_fits(const transfer_response *r, size_t more, error *e)
{
  size_t most = r->max_body, present = byte_queue_length(&r->body);
  if (r->streaming || r->sink || (more <= most && present <= most - more)) return true;
  error_set(e, ERROR_too_large, "read", "the response body passed the limit of %zu bytes (max_body)", most);
  e->limit = (double)most;
  e->observed = (double)present + (double)more;
  return false;
}

bool transfer_response_fits(const transfer_response *r, error *e) { return body_fits(r, 0, e); }

static bool add_to_body(transfer_response *r, const char *bytes, size_t length, error *e)
{
  size_t present = byte_queue_length(&r->body);
  transfer_tape_received(r->tape, bytes, length, r->decoder != NULL);
  if (r->sink) return r->sink->write(r->sink, bytes, length, e);
  if (!body_fits(r, length, e)) return false;
  if (byte_queue_append(&r->body, bytes, length)) return true;
  error_set(e, ERROR_limit, "read", "out of memory after %zu bytes of the body", present);
  return false;
}

/* At the first byte: sees what the body is made of. */
static bool begin_body(transfer_response *r, error *e)
{
  static const char name[] = "content-encoding";
  const char *value;
  size_t length;
  const head *h = &r->head;
  if (h->content_length > 0 && h->content_length <= BODY_GUESS && !r->streaming)
    buffer_reserve(&r->body.all, (size_t)h->content_length);
  /* A part of coded data cannot be decoded, and is handed over as it came. */
  if (!r->decompress || h->status == 206) return true;
  if (!head_find(h->block.bytes, h->block.length, name, sizeof name - 1, &value, &length)) return true;
  buffer codings = {0};
  bool well = head_values(h->block.bytes, h->block.length, name, sizeof name - 1, &codings);
  if (well)
    well = decoder_create(&r->decoder, codings.bytes, codings.length, e);
  else
    error_set(e, ERROR_limit, "read", "out of memory");
  buffer_free(&codings);
  return well;
}

bool transfer_response_receive(transfer_response *r, const char *bytes, size_t length, error *e)
{
  if (!r->bytes_received && !begin_body(r, e)) return false;
  r->bytes_received += length;
  if (!r->decoder) return add_to_body(r, bytes, length, e);
  r->undecoded = true;
  if (byte_queue_append(&r->raw, bytes, length)) return true;
  error_set(e, ERROR_limit, "read", "out of memory");
  return false;
}

bool transfer_response_is_tired(const transfer_response *r) { return r->decoded >= TURN; }

/* Decodes a piece. False: it failed. */
static bool decode_piece(transfer_response *r, decode_input *in, error *e)
{
  char piece[PIECE];
  size_t got;
  decode_result result = decoder_read(r->decoder, in, piece, sizeof piece, &got, e);
  r->undecoded = result == DECODE_GIVEN || result == DECODE_BUSY;
  r->decoded += result == DECODE_BUSY ? TURN : (uint32_t)got;
  return result != DECODE_FAILED && (got == 0 || add_to_body(r, piece, got, e));
}

bool transfer_response_decode(transfer_response *r, size_t wanted, error *e)
{
  if (!r->decoder) return true;
  size_t length = byte_queue_length(&r->raw);
  decode_input in = {length ? byte_queue_front(&r->raw) : "", length};
  bool well = true;
  while (well && r->undecoded && byte_queue_length(&r->body) < wanted && !transfer_response_is_tired(r) &&
         !transfer_response_waits_for_sink(r))
    well = decode_piece(r, &in, e);
  byte_queue_take(&r->raw, length - in.length);
  return well;
}

bool transfer_response_pour(transfer_response *r, body_sink *sink, error *e)
{
  size_t present = byte_queue_length(&r->body);
  r->sink = sink;
  bool well = !present || sink->write(sink, byte_queue_front(&r->body), present, e);
  byte_queue_free(&r->body);
  return well;
}

static void release_sink(transfer_response *r)
{
  if (r->sink) r->sink->release(r->sink);
  r->sink = NULL;
}

bool transfer_response_end_decoding(transfer_response *r, error *e)
{
  bool well = !r->decoder || decoder_finish(r->decoder, e);
  decoder_free(r->decoder);
  r->decoder = NULL;
  r->undecoded = false;
  return well;
}

bool transfer_response_is_whole(const transfer_response *r, error *e)
{
  int64_t announced = r->head.content_length;
  bool has_length = !transfer_response_has_no_body(r) && announced >= 0 && !r->head.chunked;
  if (has_length && r->bytes_received < (uint64_t)announced) {
    error_set(e, ERROR_truncated, NULL, "the body ended after %llu of %lld bytes",
              (unsigned long long)r->bytes_received, (long long)announced);
    return false;
  }
  return true;
}

void transfer_response_free(transfer_response *r)
{
  release_sink(r);
  head_free(&r->head);
  decoder_free(r->decoder);
  byte_queue_free(&r->raw);
  byte_queue_free(&r->body);
}

void transfer_response_reset(transfer_response *r)
{
  buffer block = r->head.block, body = r->body.all;
  release_sink(r);
  decoder_free(r->decoder);
  byte_queue_free(&r->raw);
  if (body.capacity > MAX_KEPT_BODY) buffer_free(&body);
  *r = (transfer_response){0};
  block.length = body.length = 0;
  r->head.block = block;
  r->body.all = body;
}
