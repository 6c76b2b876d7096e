#include "format/websocket/websocket_deflate.h"

#include "support/unit.h"

#include <stdint.h>

static const websocket_deflate_options PLAIN = {.client_bits = 15, .server_bits = 15};

static websocket_inflated inflate_text(websocket_deflate *d, const buffer *packed, size_t size, size_t limit,
                                       buffer *to)
{
  websocket_inflated result = WEBSOCKET_INFLATED;
  for (size_t at = 0; at < packed->length && result == WEBSOCKET_INFLATED; at += size) {
    size_t left = packed->length - at;
    bool last = left <= size;
    result = websocket_deflate_read(d, packed->bytes + at, last ? left : size, last, limit, to);
  }
  return result;
}

/* What one side writes, the other reads: in pieces of any size, with and without a context that is kept. */
static void reads_what_it_writes(void)
{
  for (unsigned how = 0; how < 8; how++) {
    bool alone = how & 1;
    unsigned char bits = how & 2 ? 9 : 15;
    websocket_deflate_options o = {alone, alone, bits, bits};
    websocket_deflate *writer = websocket_deflate_new(&o), *reader = websocket_deflate_new(&o);
    for (int i = 0; i < 5; i++) {
      buffer packed = {0}, text = {0};
      check(websocket_deflate_write(writer, "hello hello hello", 17, &packed));
      check(inflate_text(reader, &packed, how & 4 ? 1 : 1000, 100, &text) == WEBSOCKET_INFLATED);
      check_bytes(text.bytes, text.length, "hello hello hello");
      buffer_free(&packed);
      buffer_free(&text);
    }
    websocket_deflate_free(writer);
    websocket_deflate_free(reader);
  }
}

static void stops_at_the_limit(void)
{
  static char zeros[100000];
  websocket_deflate *d = websocket_deflate_new(&PLAIN);
  buffer packed = {0}, text = {0};
  check(websocket_deflate_write(d, zeros, sizeof zeros, &packed) && packed.length < 1000);
  check(inflate_text(d, &packed, SIZE_MAX / 2, sizeof zeros - 1, &text) == WEBSOCKET_INFLATED_TOO_LARGE);
  check(text.length == sizeof zeros);
  websocket_deflate_free(d);
  d = websocket_deflate_new(&PLAIN);
  text.length = 0;
  check(inflate_text(d, &packed, 10, sizeof zeros, &text) == WEBSOCKET_INFLATED);
  check(text.length == sizeof zeros);
  websocket_deflate_free(d);
  buffer_free(&packed);
  buffer_free(&text);
}

static void tells_what_is_not_compressed(void)
{
  websocket_deflate *d = websocket_deflate_new(&PLAIN);
  buffer text = {0};
  check(websocket_deflate_read(d, "\xff\xff\xff", 3, true, 100, &text) == WEBSOCKET_NOT_DEFLATED);
  websocket_deflate_free(d);
  buffer_free(&text);
}

static void writes_nothing_for_the_smallest_window(void)
{
  websocket_deflate_options o = {.client_bits = 8, .server_bits = 8};
  websocket_deflate *d = websocket_deflate_new(&o);
  check(!websocket_deflate_can_write(d));
  websocket_deflate_free(d);
}

int main(void)
{
  reads_what_it_writes();
  stops_at_the_limit();
  tells_what_is_not_compressed();
  writes_nothing_for_the_smallest_window();
  return unit_end();
}
