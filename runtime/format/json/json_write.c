#include "format/json/json_write.h"

#include "core/utf8.h"
#include "format/json/json_scan.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TWO_53 9007199254740992.0

/* Writes the digits of `value`, at least `least` of them; returns their number. */
static size_t write_digits(uint64_t value, size_t least, char *out)
{
  char reversed[20];
  size_t count = 0;
  while (value || count < least) {
    reversed[count++] = (char)('0' + value % 10);
    value /= 10;
  }
  for (size_t i = 0; i < count; i++) out[i] = reversed[count - 1 - i];
  return count;
}

/* Tries `value` (at least 0) as a decimal fraction of less than 2^53 by a power of ten. Both are exact
 * doubles then, so that the division gives what reading the decimal would give. Returns 0 when there is none.
 */
static size_t write_fraction(double value, char *out)
{
  static const uint64_t whole_powers[] = {1,
                                          10,
                                          100,
                                          1000,
                                          10000,
                                          100000,
                                          1000000,
                                          10000000,
                                          100000000,
                                          1000000000,
                                          10000000000,
                                          100000000000,
                                          1000000000000,
                                          10000000000000,
                                          100000000000000,
                                          1000000000000000,
                                          10000000000000000,
                                          100000000000000000,
                                          1000000000000000000};
  if (value < 1e-5) return 0;
  for (size_t places = 1; places < sizeof whole_powers / sizeof *whole_powers; places++) {
    double power = (double)whole_powers[places], digits = rint(value * power);
    if (digits >= TWO_53) return 0;
    if (digits / power != value) continue;
    size_t length = write_digits((uint64_t)digits / whole_powers[places], 1, out);
    out[length++] = '.';
    return length + write_digits((uint64_t)digits % whole_powers[places], places, out + length);
  }
  return 0;
}

/* A decimal: 0.DIGITS * 10^point. */
typedef struct {
  char digits[20];
  int count, point;
} decimal;

enum { DIGITS_ROOM = 64 /* for a double in scientific notation */ };

static bool reads_back(const char *text, double value) { return strtod(text, NULL) == value; }

/* The decimal of 16 digits above the nearest one. Beside a power of two, where doubles lie closer below than
 * above, it may be the one that reads back. False: it does not, either. */
static bool next_of_16(char text[DIGITS_ROOM], double value)
{
  char nearest[DIGITS_ROOM], digits[24];
  snprintf(nearest, sizeof nearest, "%.15e", value);
  uint64_t whole = 0;
  const char *p = nearest;
  for (; *p != 'e'; p++)
    if (json_digit(*p)) whole = whole * 10 + (uint64_t)(*p - '0');
  snprintf(digits, sizeof digits, "%" PRIu64, whole + 1);
  snprintf(text, DIGITS_ROOM, "%se%+d", digits, atoi(p + 1) - 15);
  return strlen(digits) == 16 && reads_back(text, value);
}

/* As many digits as it takes, in scientific notation. All 15 digits of a decimal survive in a double, unless
 * it is below the normal ones. */
static void write_digits_of(double value, char text[DIGITS_ROOM])
{
  for (int digits = value < DBL_MIN ? 1 : 15; digits <= 16; digits++) {
    snprintf(text, DIGITS_ROOM, "%.*e", digits - 1, value);
    if (reads_back(text, value)) return;
  }
  if (!next_of_16(text, value)) snprintf(text, DIGITS_ROOM, "%.16e", value);
}

static decimal shortest(double value)
{
  char text[DIGITS_ROOM];
  decimal d = {.count = 0};
  write_digits_of(value, text);
  const char *p = text;
  int before_point = 0;
  for (bool fraction = false; *p != 'e'; p++) {
    if (!json_digit(*p)) { /* the locale's point */
      fraction = true;
      continue;
    }
    d.digits[d.count++] = *p;
    before_point += !fraction;
  }
  d.point = atoi(p + 1) + before_point;
  while (d.count > 1 && d.digits[d.count - 1] == '0') d.count--;
  return d;
}

static size_t write_zeros(int count, char *out)
{
  if (count <= 0) return 0;
  memset(out, '0', (size_t)count);
  return (size_t)count;
}

/* ECMA-262, Number::toString: whole up to 21 digits, small fractions, else with an exponent. */
static size_t write_general(double value, char *out)
{
  decimal d = shortest(value);
  char *start = out;
  if (d.point > 0 && d.point <= 21) {
    int whole = d.count < d.point ? d.count : d.point;
    memcpy(out, d.digits, (size_t)whole);
    out += whole;
    out += write_zeros(d.point - d.count, out);
    if (d.count > d.point) *out++ = '.';
    memcpy(out, d.digits + whole, (size_t)(d.count - whole));
    return (size_t)(out + d.count - whole - start);
  }
  if (d.point > -6 && d.point <= 0) {
    *out++ = '0';
    *out++ = '.';
    out += write_zeros(-d.point, out);
    memcpy(out, d.digits, (size_t)d.count);
    return (size_t)(out + d.count - start);
  }
  *out++ = d.digits[0];
  if (d.count > 1) *out++ = '.';
  memcpy(out, d.digits + 1, (size_t)d.count - 1);
  out += d.count - 1;
  return (size_t)(out + sprintf(out, "e%+d", d.point - 1) - start);
}

size_t json_write_number(double value, char out[JSON_NUMBER_SIZE])
{
  size_t sign = 0;
  if (signbit(value)) {
    *out++ = '-';
    value = -value;
    sign = 1;
  }
  if (value <= TWO_53 && value == floor(value)) return sign + write_digits((uint64_t)value, 1, out);
  size_t length = write_fraction(value, out);
  return sign + (length ? length : write_general(value, out));
}

/* The letter of a two-character escape, or 0. */
static char short_escape(char c)
{
  switch (c) {
  case '"':
  case '\\':
    return c;
  case '\b':
    return 'b';
  case '\f':
    return 'f';
  case '\n':
    return 'n';
  case '\r':
    return 'r';
  case '\t':
    return 't';
  default:
    return 0;
  }
}

size_t json_quoted_length(const char *text, size_t length)
{
  const char *p = text, *end = text + length;
  size_t more = 2;
  for (;;) {
    p = json_skip_plain(p, end);
    int kind;
    while ((kind = json_in_string[(unsigned char)*p]) == JSON_PLAIN) p++;
    if (kind >= JSON_LEAD) {
      size_t bytes = utf8_length(p);
      if (!bytes) return 0;
      p += bytes;
    } else if (p == end) {
      return length + more;
    } else {
      more += short_escape(*p++) ? 1 : 5;
    }
  }
}

size_t json_write_string(const char *text, size_t length, size_t quoted, char *out)
{
  const char *end = text + length;
  *out++ = '"';
  if (quoted == length + 2) {
    if (length) memcpy(out, text, length);
    out += length;
  } else {
    while (text < end) {
      char c = *text++, letter = short_escape(c);
      if (letter) {
        *out++ = '\\';
        *out++ = letter;
      } else if ((unsigned char)c < 0x20) {
        static const char hex[] = "0123456789abcdef";
        memcpy(out, "\\u00", 4);
        out[4] = hex[c >> 4];
        out[5] = hex[c & 15];
        out += 6;
      } else {
        *out++ = c;
      }
    }
  }
  *out = '"';
  return quoted;
}
