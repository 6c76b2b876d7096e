#include "format/url/url_idn.h"

#include "format/url/url_characters.h"

#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

enum { LONGEST = 255 }; /* characters of a host */

/* The parameters of RFC 3492, section 5. */
enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, FIRST_BIAS = 72, FIRST_N = 128 };

typedef struct {
  char *at, *end;
  bool full;
} writer;

static void put(writer *w, char c)
{
  if (w->at < w->end)
    *w->at++ = c;
  else
    w->full = true;
}

static void put_text(writer *w, const char *text)
{
  while (*text) put(w, *text++);
}

static void put_digit(writer *w, uint32_t digit)
{
  put(w, (char)(digit < 26 ? 'a' + digit : '0' + digit - 26));
}

static uint32_t adapt(uint32_t delta, uint32_t handled, bool first)
{
  uint32_t k = 0;
  delta = first ? delta / DAMP : delta / 2;
  delta += delta / handled;
  for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE) delta /= BASE - T_MIN;
  return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static void put_variable(writer *w, uint32_t value, uint32_t bias)
{
  for (uint32_t k = BASE;; k += BASE) {
    uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
    if (value < t) break;
    put_digit(w, t + (value - t) % (BASE - t));
    value = (value - t) / (BASE - t);
  }
  put_digit(w, value);
}

/* The label of at most LONGEST characters, none above 0x10ffff: nothing here can overflow 32 bits. */
static void put_punycode(writer *w, const uint32_t *label, size_t count)
{
  uint32_t basic = 0, n = FIRST_N, delta = 0, bias = FIRST_BIAS;
  put_text(w, "xn--");
  for (size_t i = 0; i < count; i++)
    if (label[i] < 0x80) {
      put(w, (char)label[i]);
      basic++;
    }
  if (basic) put(w, '-');
  for (uint32_t handled = basic; handled < count; delta++, n++) {
    uint32_t next = UINT32_MAX;
    for (size_t i = 0; i < count; i++)
      if (label[i] >= n && label[i] < next) next = label[i];
    delta += (next - n) * (handled + 1);
    n = next;
    for (size_t i = 0; i < count; i++) {
      if (label[i] < n) delta++;
      if (label[i] != n) continue;
      put_variable(w, delta, bias);
      bias = adapt(delta, handled + 1, handled == basic);
      delta = 0;
      handled++;
    }
  }
}

static void put_label(writer *w, const uint32_t *label, size_t count)
{
  bool ascii = true;
  for (size_t i = 0; i < count; i++) ascii = ascii && label[i] < 0x80;
  if (!ascii) {
    put_punycode(w, label, count);
    return;
  }
  for (size_t i = 0; i < count; i++) put(w, (char)label[i]);
}

/* The character of `length` bytes at `at`. */
static uint32_t decode(const unsigned char *at, size_t length)
{
  uint32_t code = length == 1 ? *at : *at & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; i++) code = code << 6 | (at[i] & 0x3fu);
  return code;
}

size_t url_idn_to_ascii(const char *host, size_t length, char *out, size_t room)
{
  locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
  if (!unicode) return 0;
  const unsigned char *at = (const unsigned char *)host, *end = at + length;
  uint32_t label[LONGEST];
  size_t count = 0;
  writer w = {out, out + room, length > LONGEST};
  while (at < end && !w.full) {
    size_t taken = *at < 0x80 ? 1 : url_utf8_length(at, end);
    uint32_t code = decode(at, taken);
    at += taken;
    if (code == '.' || code == 0x3002) {
      put_label(&w, label, count);
      put(&w, '.');
      count = 0;
    } else {
      label[count++] = (uint32_t)towlower_l((wint_t)code, unicode);
    }
  }
  put_label(&w, label, count);
  freelocale(unicode);
  return w.full ? 0 : (size_t)(w.at - out);
}
