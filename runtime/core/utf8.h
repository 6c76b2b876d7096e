/* The one test for UTF-8, and the one way to write it. */
#ifndef LURCHER_CORE_UTF8_H
#define LURCHER_CORE_UTF8_H

#include <stddef.h>

/* The length, 2 to 4, of the UTF-8 character at `at` that is not ASCII; 0 when it is not one (overlong, a
 * surrogate, beyond U+10FFFF, cut). Reads no further than a byte that does not belong: the text must end with
 * such a one, a NUL for instance. */
static inline size_t utf8_length(const char *at)
{
  const unsigned char *s = (const unsigned char *)at;
  unsigned low = 0x80, high = 0xbf; /* of the second byte */
  if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
  if (s[0] == 0xe0) low = 0xa0;
  if (s[0] == 0xed) high = 0x9f;
  if (s[0] == 0xf0) low = 0x90;
  if (s[0] == 0xf4) high = 0x8f;
  if (s[1] < low || s[1] > high) return 0;
  if (s[0] < 0xe0) return 2;
  if ((s[2] & 0xc0) != 0x80) return 0;
  if (s[0] < 0xf0) return 3;
  return (s[3] & 0xc0) == 0x80 ? 4 : 0;
}

/* Writes a character of at most U+10FFFF and returns what follows; `out` has room for its 1 to 4 bytes. */
static inline char *utf8_write(char *out, unsigned code)
{
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xc0 | code >> 6);
    *out++ = (char)(0x80 | (code & 63));
  } else {
    if (code < 0x10000) {
      *out++ = (char)(0xe0 | code >> 12);
    } else {
      *out++ = (char)(0xf0 | code >> 18);
      *out++ = (char)(0x80 | (code >> 12 & 63));
    }
    *out++ = (char)(0x80 | (code >> 6 & 63));
    *out++ = (char)(0x80 | (code & 63));
  }
  return out;
}

#endif
