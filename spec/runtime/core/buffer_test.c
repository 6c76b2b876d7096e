#include "core/buffer.h"
#include "core/error.h"

#include "support/unit.h"

#include <stdint.h>

static void grows(void)
{
  buffer b = {0};
  check(buffer_append(&b, NULL, 0) && b.length == 0);
  for (int i = 0; i < 1000; i++) check(buffer_append(&b, "0123456789", 10));
  check(b.length == 10000 && b.capacity >= b.length);
  bool same = true;
  for (size_t i = 0; i < b.length; i++) same = same && b.bytes[i] == (char)('0' + i % 10);
  check(same);
  char *bytes = b.bytes;
  check(buffer_reserve(&b, b.capacity - b.length) && b.bytes == bytes);
  check(buffer_reserve(&b, 1 << 20) && b.capacity - b.length >= 1 << 20 && b.length == 10000);
  buffer_free(&b);
  check(!b.bytes && b.length == 0 && b.capacity == 0);
  check(buffer_append(&b, "again", 5));
  check_bytes(b.bytes, b.length, "again");
  buffer_free(&b);
  buffer_free(&b);
}

static void refuses_what_cannot_be(void)
{
  buffer b = {0};
  check(buffer_append(&b, "abc", 3));
  check(!buffer_reserve(&b, SIZE_MAX) && !buffer_reserve(&b, SIZE_MAX / 2));
  check_bytes(b.bytes, b.length, "abc");
  buffer_free(&b);
}

static void tells_errors(void)
{
  error e = {.limit = 1, .retry_safe = true, .code = "x"};
  error_set(&e, ERROR_too_large, "read", "%d bytes", 5);
  check(e.kind == ERROR_too_large && e.limit == 0 && !e.retry_safe && !e.code);
  check_string(e.phase, "read");
  check_string(e.message, "5 bytes");
  check_string(error_kind_name(ERROR_timeout), "timeout");
  check_string(error_kind_name(ERROR_mock), "mock");
}

static void wraps_an_error_in_itself(void)
{
  error e;
  error_set(&e, ERROR_file, NULL, "cannot open");
  error_set(&e, ERROR_tls, "connect", "the certificate: %s", e.message);
  check_string(e.message, "the certificate: cannot open");
}

static void cuts_long_messages_between_characters(void)
{
  char text[2 * ERROR_MESSAGE_SIZE + 1] = "";
  error e;
  for (size_t i = 0; i < ERROR_MESSAGE_SIZE; i++) memcpy(text + 2 * i, "\xc3\xa9", 3);
  error_set(&e, ERROR_url, NULL, "%s", text);
  check(strlen(e.message) == ERROR_MESSAGE_SIZE - 1);
  check_string(e.message + ERROR_MESSAGE_SIZE - 6, "\xc3\xa9" CUT_MARK);
  error_set(&e, ERROR_url, NULL, "a%s", text); /* there is room for half a character more */
  check(strlen(e.message) == ERROR_MESSAGE_SIZE - 2);
  check_string(e.message + ERROR_MESSAGE_SIZE - 7, "\xc3\xa9" CUT_MARK);
  error_set_cause(&e, ERROR_url, "%s", text);
  check_string(e.cause_message + ERROR_CAUSE_SIZE - 6, "\xc3\xa9" CUT_MARK);
  error_set(&e, ERROR_url, NULL, "%.*s%s", SHORTENED(text, 5));
  check_string(e.message, "\xc3\xa9\xc3\xa9" CUT_MARK);
  error_set(&e, ERROR_url, NULL, "%.*s%s", SHORTENED("12345", 5));
  check_string(e.message, "12345");
}

int main(void)
{
  grows();
  refuses_what_cannot_be();
  tells_errors();
  wraps_an_error_in_itself();
  cuts_long_messages_between_characters();
  return unit_end();
}
