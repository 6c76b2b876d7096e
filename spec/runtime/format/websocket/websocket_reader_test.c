#include "format/websocket/websocket_reader.h"

#include "support/unit.h"

#define BYTES(text) ((websocket_input){(text), sizeof(text) - 1})

static websocket_reader reader;

static void begin(size_t max_message) { reader = (websocket_reader){.max_message = max_message}; }

static websocket_found feed(websocket_input input) { return websocket_reader_next(&reader, &input); }

static void finds_messages(void)
{
  begin(SIZE_MAX);
  websocket_input input = BYTES("\x81\x02hi\x82\x01x\x81\x00");
  check(websocket_reader_next(&reader, &input) == WEBSOCKET_MESSAGE && reader.opcode == WEBSOCKET_TEXT);
  check_bytes(reader.found.bytes, reader.found.length, "hi");
  check(websocket_reader_next(&reader, &input) == WEBSOCKET_MESSAGE && reader.opcode == WEBSOCKET_BINARY);
  check_bytes(reader.found.bytes, reader.found.length, "x");
  check(websocket_reader_next(&reader, &input) == WEBSOCKET_MESSAGE && reader.found.length == 0);
  check(websocket_reader_next(&reader, &input) == WEBSOCKET_MORE);
  check(!websocket_reader_is_busy(&reader) && !reader.message.bytes); /* an idle one holds nothing */
  websocket_reader_free(&reader);
}

static void takes_bytes_one_by_one(void)
{
  static const char bytes[] = "\x01\x03\xe2\x82\xac\x89\x01p\x80\x7e\x00\x7e"
                              "0123456789012345678901234567890123456789012345678901234567890123456789"
                              "01234567890123456789012345678901234567890123456789012345";
  size_t pings = 0, messages = 0;
  begin(SIZE_MAX);
  for (size_t i = 0; i + 1 < sizeof bytes; i++) {
    websocket_found found = feed((websocket_input){bytes + i, 1});
    pings += found == WEBSOCKET_PINGED;
    messages += found == WEBSOCKET_MESSAGE;
    check(found != WEBSOCKET_BROKEN);
  }
  check(pings == 1 && messages == 1 && reader.found.length == 3 + 126);
  websocket_reader_free(&reader);
}

/* What is wrong by the header is told with the header's bytes, whatever follows or does not. */
static void refuses_by_the_header_alone(void)
{
  const struct {
    websocket_input bytes;
    unsigned code;
  } cases[] = {
      {BYTES("\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00"), 1009},
      {BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), 1009},
      {BYTES("\x02\x7e\x03\xe9"), 1009},
      {BYTES("\x81\xff"), 1002},     /* masked */
      {BYTES("\x83\x7f"), 1002},     /* a reserved opcode */
      {BYTES("\xc1\x7e\x01"), 1002}, /* a reserved bit */
      {BYTES("\x80\x05"), 1002},     /* a continuation of nothing */
      {BYTES("\x89\x7e"), 1002},     /* a long ping */
      {BYTES("\x09\x01"), 1002},     /* a ping in fragments */
      {BYTES("\x8b\x05"), 1002},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t size = 1; size <= cases[i].bytes.length; size++) {
      websocket_found found = WEBSOCKET_MORE;
      begin(1000);
      for (size_t at = 0; at < cases[i].bytes.length && found == WEBSOCKET_MORE; at += size) {
        size_t left = cases[i].bytes.length - at;
        found = feed((websocket_input){cases[i].bytes.bytes + at, left < size ? left : size});
      }
      if (!check(found == WEBSOCKET_BROKEN && reader.close_code == cases[i].code))
        fprintf(stderr, "  case %zu in pieces of %zu: %u\n", i, size, reader.close_code);
      websocket_reader_free(&reader);
    }
}

static void tells_how_large_a_message_would_be(void)
{
  begin(1000);
  check(feed(BYTES("\x01\x02hi\x80\x7e\x03\xe7")) == WEBSOCKET_BROKEN); /* 2 + 999 */
  check(reader.fault.kind == ERROR_too_large && reader.fault.limit == 1000 && reader.fault.observed == 1001);
  websocket_reader_free(&reader);
  begin(1000);
  check(feed(BYTES("\x81\x02hi")) == WEBSOCKET_MESSAGE);
  check(feed(BYTES("\x82\x7e\x03\xe9")) == WEBSOCKET_BROKEN && reader.fault.observed == 1001);
  websocket_reader_free(&reader);
}

static void waits_for_what_may_still_be_right(void)
{
  const websocket_input cases[] = {BYTES("\x81"),         BYTES("\x81\x05"),
                                   BYTES("\x82\x7e\x03"), BYTES("\x82\x7e\x03\xe8"),
                                   BYTES("\x88\x02"),     BYTES("\x89\x7d")};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin(1000);
    check(feed(cases[i]) == WEBSOCKET_MORE && websocket_reader_is_busy(&reader));
    websocket_reader_free(&reader);
  }
}

static void knows_the_codes_of_close_frames(void)
{
  static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1014, 3000, 4999};
  static const unsigned bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) check(websocket_is_close_code(good[i]));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check(!websocket_is_close_code(bad[i]));
  begin(SIZE_MAX);
  check(feed(BYTES("\x88\x05\x03\xe8"
                   "bye")) == WEBSOCKET_CLOSED);
  check(reader.close_code == 1000);
  check_bytes(reader.found.bytes, reader.found.length, "bye");
  websocket_reader_free(&reader);
}

int main(void)
{
  finds_messages();
  takes_bytes_one_by_one();
  refuses_by_the_header_alone();
  tells_how_large_a_message_would_be();
  waits_for_what_may_still_be_right();
  knows_the_codes_of_close_frames();
  return unit_end();
}
