/* What the JSON checker, builder and writer share: bytes in strings, digits, steps of eight bytes. Plain C.
 */
#ifndef LURCHER_SCRIPT_JSON_SCAN_H
#define LURCHER_SCRIPT_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a byte inside a string is. */
enum { JSON_PLAIN, JSON_QUOTE, JSON_BACKSLASH, JSON_CONTROL, JSON_LEAD, JSON_BAD };

extern const uint8_t json_in_string[256];

static inline bool json_digit(char c) { return (unsigned char)(c - '0') < 10; }

static inline const char *json_skip_space(const char *p)
{
  while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') p++;
  return p;
}

/* Advances over bytes that are neither quote, backslash, control nor outside ASCII: eight at a time, so it
 * may stop a few bytes early. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
  const uint64_t ones = UINT64_C(0x0101010101010101);
  for (; end - p >= 8; p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t found = (quote - ones) | (backslash - ones) | (word - ones * 0x20) | word;
    found &= ones * 0x80;
    if (found) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      /* Up to the lowest mark nothing borrows, so it is exact. */
      p += __builtin_ctzll(found) / 8;
#endif
      break;
    }
  }
  return p;
}

/* The value of four hexadecimal digits, or -1. */
static inline int json_hex4(const char *p)
{
  int value = 0;
  for (int i = 0; i < 4; i++) {
    int c = (unsigned char)p[i], letter = c | 32;
    int digit = c >= '0' && c <= '9' ? c - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* Whether a run of `count` digits without leading zeros is beyond 2^53, to which a double counts without
 * gaps. */
static inline bool json_is_big(const char *digits, size_t count)
{
  return count > 16 || (count == 16 && memcmp(digits, "9007199254740992", 16) > 0);
}

#endif
