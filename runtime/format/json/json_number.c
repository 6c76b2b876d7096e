#include "format/json/json_number.h"

#include "format/json/json_scan.h"

#include <locale.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { MAX_EXACT = 22, MAX_DIGITS = 15 }; /* powers of ten, and decimals, that are exact doubles */

static const double powers_of_10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
  c_locale = newlocale(LC_ALL_MASK, "C", NULL);
} /* glibc's own: never freed */

/* By the C library: exact, and a tenth of a microsecond where LuaJIT takes 40 (it counts in decimals as long
 * as the exponent says). */
static double read_general(const char *p, const char **end)
{
  char *behind;
  pthread_once(&c_locale_once, make_c_locale);
  double value = strtod_l(p, &behind, c_locale);
  *end = behind;
  return value;
}

static const char *read_digits(const char *p, uint64_t *value)
{
  for (; json_digit(*p); p++) *value = *value * 10 + (uint64_t)(*p - '0');
  return p;
}

/* With few digits and a small exponent both sides of the multiplication or division are exact, so that its
 * result is the nearest double. */
double json_read_number(const char *start, const char **end)
{
  const char *p = start + (*start == '-'), *digits = p;
  uint64_t mantissa = 0, exponent = 0;
  p = read_digits(p, &mantissa);
  long count = p - digits, scale = 0;
  if (*p == '.') {
    const char *fraction = ++p;
    p = read_digits(p, &mantissa);
    scale = fraction - p;
    count -= scale;
  }
  if (count > MAX_DIGITS) return read_general(start, end);
  if (*p == 'e' || *p == 'E') {
    bool negative = *++p == '-';
    p += negative || *p == '+';
    const char *first = p;
    p = read_digits(p, &exponent);
    if (p - first > 3) return read_general(start, end);
    scale += negative ? -(long)exponent : (long)exponent;
  }
  if (scale > MAX_EXACT || scale < -MAX_EXACT) return read_general(start, end);
  double value = (double)mantissa;
  if (scale < 0)
    value /= powers_of_10[-scale];
  else
    value *= powers_of_10[scale];
  *end = p;
  return *start == '-' ? -value : value;
}
