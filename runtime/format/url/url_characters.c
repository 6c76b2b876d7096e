#include "format/url/url_characters.h"

#define EVERYWHERE (URL_UNRESERVED | URL_USER | URL_PATH | URL_QUERY)
#define SUB        (URL_USER | URL_PATH | URL_QUERY)

#define FOUR(c, set) [c] = set, [c + 1] = set, [c + 2] = set, [c + 3] = set
#define SMALL        (EVERYWHERE | URL_HOST | URL_SCHEME)
#define LARGE        (EVERYWHERE | URL_SCHEME)
#define NUMBER       (EVERYWHERE | URL_HOST | URL_SCHEME | URL_DIGIT | URL_HEX)

/* clang-format off */
const unsigned char url_classes[256] = {
    FOUR('a', SMALL | URL_HEX), ['e'] = SMALL | URL_HEX, ['f'] = SMALL | URL_HEX,
    FOUR('g', SMALL), FOUR('k', SMALL), FOUR('o', SMALL), FOUR('s', SMALL), FOUR('w', SMALL),
    FOUR('A', LARGE | URL_HEX), ['E'] = LARGE | URL_HEX, ['F'] = LARGE | URL_HEX,
    FOUR('G', LARGE), FOUR('K', LARGE), FOUR('O', LARGE), FOUR('S', LARGE), FOUR('W', LARGE),
    FOUR('0', NUMBER), FOUR('4', NUMBER), ['8'] = NUMBER, ['9'] = NUMBER,
    ['-'] = EVERYWHERE | URL_HOST | URL_SCHEME,
    ['.'] = EVERYWHERE | URL_HOST | URL_SCHEME,
    ['_'] = EVERYWHERE | URL_HOST,
    ['~'] = EVERYWHERE,
    ['+'] = SUB | URL_SCHEME,
    ['!'] = SUB,
    ['$'] = SUB,
    ['&'] = SUB,
    ['\''] = SUB,
    ['('] = SUB,
    [')'] = SUB,
    ['*'] = SUB,
    [','] = SUB,
    [';'] = SUB,
    ['='] = SUB,
    [':'] = URL_PATH | URL_QUERY,
    ['@'] = URL_PATH | URL_QUERY,
    ['['] = URL_PATH | URL_QUERY,
    [']'] = URL_PATH | URL_QUERY,
    ['/'] = URL_PATH | URL_QUERY,
    ['?'] = URL_QUERY,
};
/* clang-format on */

/* One number of an IPv4 address as inet_aton reads it: decimal, 0octal, 0xhex. */
static bool parse_ipv4_number(const char **at, const char *end, uint64_t *value)
{
  unsigned base = 10;
  const char *c = *at;
  *value = 0;
  if (end - c >= 2 && c[0] == '0' && url_lower(c[1]) == 'x') {
    base = 16;
    c += 2;
  } else if (end - c >= 2 && c[0] == '0' && url_is(c[1], URL_DIGIT)) {
    base = 8;
    c++;
  } else if (c == end || !url_is(*c, URL_DIGIT)) {
    return false;
  }
  for (; c < end && *c != '.'; c++) {
    if (!url_is(*c, URL_HEX) || (unsigned)url_hex(*c) >= base) return false;
    *value = *value * base + (unsigned)url_hex(*c);
    if (*value > UINT32_MAX) return false;
  }
  *at = c;
  return true;
}

bool url_parse_ipv4(const char *at, const char *end, uint32_t *address)
{
  uint64_t value;
  *address = 0;
  for (int i = 0; i < 4; i++) {
    if (!parse_ipv4_number(&at, end, &value)) return false;
    if (at == end || at + 1 == end) { /* the last number fills what is left; a dot may follow it */
      *address |= (uint32_t)value;
      return value >> (8 * (4 - i)) == 0;
    }
    if (value > 255 || i == 3) return false;
    *address |= (uint32_t)value << (24 - 8 * i);
    at++;
  }
  return false;
}

bool url_ends_in_number(const char *host, const char *end)
{
  if (end > host && end[-1] == '.') end--;
  const char *label = end;
  while (label > host && label[-1] != '.') label--;
  if (label == end || !url_is(*label, URL_DIGIT)) return false;
  if (end - label >= 2 && label[0] == '0' && label[1] == 'x') {
    for (label += 2; label < end && url_is(*label, URL_HEX); label++) continue;
    return label == end;
  }
  while (label < end && url_is(*label, URL_DIGIT)) label++;
  return label == end;
}
