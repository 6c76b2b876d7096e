#include "format/websocket/websocket_writer.h"

#include "support/unit.h"

#include <stdlib.h>

static buffer out;

/* The header without its key, and the payload unmasked in place. */
static const char *payload_of(size_t header)
{
  const char *key = out.bytes + header;
  char *payload = out.bytes + header + 4;
  for (size_t i = 0; i < out.length - header - 4; i++) payload[i] = (char)(payload[i] ^ key[i % 4]);
  return payload;
}

static void writes_lengths_in_their_shortest_form(void)
{
  static const struct {
    size_t length, header;
    const char *bytes;
  } cases[] = {{0, 2, "\x82\x80"},
               {125, 2, "\x82\xfd"},
               {126, 4, "\x82\xfe\x00\x7e"},
               {65535, 4, "\x82\xfe\xff\xff"},
               {65536, 10, "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *bytes = calloc(1, cases[i].length + 1);
    memset(bytes, 'x', cases[i].length);
    check(websocket_write(&out, WEBSOCKET_BINARY, false, bytes, cases[i].length));
    check(out.length == cases[i].header + 4 + cases[i].length);
    check(!memcmp(out.bytes, cases[i].bytes, cases[i].header));
    check(!memcmp(payload_of(cases[i].header), bytes, cases[i].length));
    buffer_free(&out);
    free(bytes);
  }
}

static void masks_each_frame_with_a_key_of_its_own(void)
{
  unsigned same = 0;
  char last[4] = {0};
  for (int i = 0; i < 200; i++) {
    check(websocket_write(&out, WEBSOCKET_TEXT, false, "hello", 5));
    same += !memcmp(last, out.bytes + 2, 4);
    memcpy(last, out.bytes + 2, 4);
    check(!memcmp(payload_of(2), "hello", 5));
    buffer_free(&out);
  }
  check(same == 0);
}

static void appends_and_marks_what_is_compressed(void)
{
  check(websocket_write(&out, WEBSOCKET_PING, false, "", 0));
  check(websocket_write(&out, WEBSOCKET_TEXT, true, "x", 1));
  check(out.length == 6 + 7 && out.bytes[0] == (char)0x89 && out.bytes[6] == (char)0xc1);
  buffer_free(&out);
}

static void writes_close_frames(void)
{
  check(websocket_write_close(&out, 4000, "bye", 3));
  check(out.bytes[0] == (char)0x88 && !memcmp(payload_of(2),
                                              "\x0f\xa0"
                                              "bye",
                                              5));
  buffer_free(&out);
  check(websocket_write_close(&out, 0, "", 0) && out.length == 6);
  buffer_free(&out);
}

int main(void)
{
  writes_lengths_in_their_shortest_form();
  masks_each_frame_with_a_key_of_its_own();
  appends_and_marks_what_is_compressed();
  writes_close_frames();
  return unit_end();
}
