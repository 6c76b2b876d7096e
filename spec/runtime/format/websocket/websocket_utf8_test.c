#include "format/websocket/websocket_utf8.h"

#include "support/unit.h"

static bool is_text(const char *bytes, size_t length, size_t size)
{
  websocket_utf8 u = {0};
  for (size_t at = 0; at < length; at += size) {
    size_t left = length - at;
    if (!websocket_utf8_check(&u, bytes + at, left < size ? left : size)) return false;
  }
  return websocket_utf8_is_whole(&u);
}

/* Unicode 15, table 3-7, by itself: every first and second byte, and the ends of the ranges of the others. */
static bool is_character(const unsigned char *b, size_t length)
{
  if (length == 1) return b[0] < 0x80;
  for (size_t i = 1; i < length; i++)
    if (b[i] < 0x80 || b[i] > 0xbf) return false;
  if (length == 2) return b[0] >= 0xc2 && b[0] <= 0xdf;
  if (length == 3)
    return b[0] >= 0xe0 && b[0] <= 0xef && (b[0] != 0xe0 || b[1] >= 0xa0) && (b[0] != 0xed || b[1] <= 0x9f);
  return b[0] >= 0xf0 && b[0] <= 0xf4 && (b[0] != 0xf0 || b[1] >= 0x90) && (b[0] != 0xf4 || b[1] <= 0x8f);
}

static void agrees_with_the_table(void)
{
  static const unsigned char others[] = {0x7f, 0x80, 0xbf, 0xc0};
  unsigned wrong = 0;
  for (unsigned first = 0; first < 256; first++)
    for (unsigned second = 0; second < 256; second++)
      for (unsigned i = 0; i < sizeof others * sizeof others; i++) {
        unsigned char b[] = {(unsigned char)first, (unsigned char)second, others[i % 4], others[i / 4]};
        size_t wanted = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        for (size_t size = 1; size <= 4; size++)
          wrong += is_text((const char *)b, wanted, size) != is_character(b, wanted);
      }
  check(wrong == 0);
}

static void refuses_a_text_that_ends_within_a_character(void)
{
  static const char euro[] = "\xf0\x9f\x99\x82";
  for (size_t length = 1; length < 4; length++) check(!is_text(euro, length, 4));
  check(is_text(euro, 4, 4) && is_text(euro, 0, 4));
}

static void finds_a_fault_anywhere_in_a_long_text(void)
{
  char text[64];
  for (size_t at = 0; at < sizeof text; at++) {
    memset(text, 'x', sizeof text);
    check(is_text(text, sizeof text, sizeof text));
    text[at] = (char)0xff;
    check(!is_text(text, sizeof text, sizeof text));
  }
}

int main(void)
{
  agrees_with_the_table();
  refuses_a_text_that_ends_within_a_character();
  finds_a_fault_anywhere_in_a_long_text();
  return unit_end();
}
