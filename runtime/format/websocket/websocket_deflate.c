#include "format/websocket/websocket_deflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
  MIN_BITS = 9,
  MEMORY_LEVEL = 8,
  MIN_STEP = 1024,
  MAX_STEP = 256 * 1024,
  TAIL = 4,
  MAX_PIECE = 1 << 30
};

/* What each message ends with; it is not sent. */
static const char tail[TAIL] = {0, 0, (char)0xff, (char)0xff};

struct websocket_deflate {
  websocket_deflate_options options;
  z_stream in, out;
  bool reads, writes; /* in, out are initialised */
};

websocket_deflate *websocket_deflate_new(const websocket_deflate_options *options)
{
  websocket_deflate *d = calloc(1, sizeof *d);
  if (d) d->options = *options;
  return d;
}

static void stop_reading(websocket_deflate *d)
{
  if (d->reads) inflateEnd(&d->in);
  d->reads = false;
}

static void stop_writing(websocket_deflate *d)
{
  if (d->writes) deflateEnd(&d->out);
  d->writes = false;
}

void websocket_deflate_free(websocket_deflate *d)
{
  if (!d) return;
  stop_reading(d);
  stop_writing(d);
  free(d);
}

/* ---- reading ---- */

static bool start_reading(websocket_deflate *d)
{
  if (d->reads) return true;
  d->in = (z_stream){0};
  return d->reads = inflateInit2(&d->in, -(int)d->options.server_bits) == Z_OK;
}

/* At most one byte above the limit, so that passing it shows. */
static size_t step_for(const buffer *out, size_t limit)
{
  size_t step = out->length < MIN_STEP ? MIN_STEP : out->length < MAX_STEP ? out->length : MAX_STEP;
  size_t left = limit - out->length;
  return left < step ? left + 1 : step;
}

static websocket_inflated inflate_piece(websocket_deflate *d, const char *bytes, size_t length, size_t limit,
                                        buffer *out)
{
  z_stream *z = &d->in;
  z->next_in = (Bytef *)bytes;
  z->avail_in = (uInt)length;
  for (;;) {
    size_t step = step_for(out, limit);
    if (!buffer_reserve(out, step)) return WEBSOCKET_NO_MEMORY;
    z->next_out = (Bytef *)out->bytes + out->length;
    z->avail_out = (uInt)step;
    int result = inflate(z, Z_SYNC_FLUSH);
    out->length += step - z->avail_out;
    if (out->length > limit) return WEBSOCKET_INFLATED_TOO_LARGE;
    if (result == Z_STREAM_END) { /* a final block: another stream may follow */
      if (inflateReset(z) != Z_OK) return WEBSOCKET_NOT_DEFLATED;
      if (!z->avail_in) return WEBSOCKET_INFLATED;
      continue;
    }
    if (result == Z_MEM_ERROR) return WEBSOCKET_NO_MEMORY;
    if (result != Z_OK && result != Z_BUF_ERROR) return WEBSOCKET_NOT_DEFLATED;
    if (z->avail_out) return z->avail_in ? WEBSOCKET_NOT_DEFLATED : WEBSOCKET_INFLATED;
  }
}

websocket_inflated websocket_deflate_read(websocket_deflate *d, const char *bytes, size_t length, bool last,
                                          size_t limit, buffer *out)
{
  websocket_inflated result = start_reading(d) ? WEBSOCKET_INFLATED : WEBSOCKET_NO_MEMORY;
  while (length && result == WEBSOCKET_INFLATED) {
    size_t piece = length < MAX_PIECE ? length : MAX_PIECE;
    result = inflate_piece(d, bytes, piece, limit, out);
    bytes += piece;
    length -= piece;
  }
  if (!last || result != WEBSOCKET_INFLATED) return result;
  result = inflate_piece(d, tail, TAIL, limit, out);
  if (d->options.server_no_context) stop_reading(d);
  return result;
}

/* ---- writing ---- */

bool websocket_deflate_can_write(const websocket_deflate *d) { return d->options.client_bits >= MIN_BITS; }

static bool start_writing(websocket_deflate *d)
{
  if (d->writes) return true;
  d->out = (z_stream){0};
  return d->writes = deflateInit2(&d->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -(int)d->options.client_bits,
                                  MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
}

static bool deflate_piece(z_stream *z, const char *bytes, size_t length, int flush, buffer *out)
{
  z->next_in = (Bytef *)bytes;
  z->avail_in = (uInt)length;
  do {
    size_t step = length / 2 + MIN_STEP;
    if (step > MAX_STEP) step = MAX_STEP;
    if (!buffer_reserve(out, step)) return false;
    z->next_out = (Bytef *)out->bytes + out->length;
    z->avail_out = (uInt)step;
    deflate(z, flush); /* fails only where there is nothing to do */
    out->length += step - z->avail_out;
  } while (!z->avail_out);
  return true;
}

bool websocket_deflate_write(websocket_deflate *d, const char *bytes, size_t length, buffer *out)
{
  if (!start_writing(d)) return false;
  while (length > MAX_PIECE) {
    if (!deflate_piece(&d->out, bytes, MAX_PIECE, Z_NO_FLUSH, out)) return false;
    bytes += MAX_PIECE;
    length -= MAX_PIECE;
  }
  if (!deflate_piece(&d->out, bytes, length, Z_SYNC_FLUSH, out)) return false;
  out->length -= TAIL;
  if (d->options.client_no_context) stop_writing(d);
  return true;
}
