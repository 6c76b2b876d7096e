#include "format/json/json_check.h"

#include "core/utf8.h"
#include "format/json/json_scan.h"

#include <stdlib.h>

/* Every scanner here relies on the NUL byte behind the text: it belongs to no token, so none runs past it. */

/* clang-format off */
#define FOUR(kind) kind, kind, kind, kind
#define ROW(kind)  FOUR(kind), FOUR(kind), FOUR(kind), FOUR(kind)
const uint8_t json_in_string[256] = {
    ROW(JSON_CONTROL), ROW(JSON_CONTROL),                                                                   /* 00 */
    JSON_PLAIN, JSON_PLAIN, JSON_QUOTE, JSON_PLAIN, FOUR(JSON_PLAIN), FOUR(JSON_PLAIN), FOUR(JSON_PLAIN),     /* 20 */
    ROW(JSON_PLAIN), ROW(JSON_PLAIN),                                                                       /* 30 */
    FOUR(JSON_PLAIN), FOUR(JSON_PLAIN), FOUR(JSON_PLAIN), JSON_BACKSLASH, JSON_PLAIN, JSON_PLAIN, JSON_PLAIN, /* 50 */
    ROW(JSON_PLAIN), ROW(JSON_PLAIN),                                                                       /* 60 */
    ROW(JSON_BAD), ROW(JSON_BAD), ROW(JSON_BAD), ROW(JSON_BAD),                                             /* 80 */
    JSON_BAD, JSON_BAD, JSON_LEAD, JSON_LEAD, FOUR(JSON_LEAD), FOUR(JSON_LEAD), FOUR(JSON_LEAD),              /* c0 */
    ROW(JSON_LEAD), ROW(JSON_LEAD),                                                                         /* d0 */
    FOUR(JSON_LEAD), JSON_LEAD, JSON_BAD, JSON_BAD, JSON_BAD, FOUR(JSON_BAD), FOUR(JSON_BAD),                 /* f0 */
};
/* clang-format on */

typedef struct {
  const char *end; /* of the text */
  bool big_as_numbers;
  json_sizes *sizes;
  const char *problem;
  const char *position;
} checker;

void json_sizes_free(json_sizes *sizes)
{
  free(sizes->items);
  *sizes = (json_sizes){0};
}

/* Another array or object opens. Returns the index of its size. */
static size_t open_size(checker *c)
{
  json_sizes *sizes = c->sizes;
  if (!sizes) return 0;
  if (sizes->count == sizes->capacity) {
    size_t capacity = sizes->capacity ? sizes->capacity * 2 : 64;
    uint32_t *items = realloc(sizes->items, capacity * sizeof *items);
    if (!items) {
      c->sizes = NULL;
      return 0;
    }
    sizes->items = items;
    sizes->capacity = capacity;
  }
  sizes->items[sizes->count] = 0;
  return sizes->count++;
}

static void count_item(checker *c, size_t open)
{
  if (c->sizes) c->sizes->items[open]++;
}

/* Notes a fault; returns NULL, as the scanners do then. */
static const char *fault(checker *c, const char *at, const char *problem)
{
  c->problem = problem;
  c->position = at;
  return NULL;
}

/* `p` is at a backslash. Returns the byte behind the escape, or NULL. */
static const char *check_escape(checker *c, const char *p)
{
  switch (p[1]) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return p + 2;
  case 'u':
    break;
  default:
    return fault(c, p, "unknown escape in a string");
  }
  int unit = json_hex4(p + 2);
  if (unit < 0) return fault(c, p, "\\u wants four hexadecimal digits");
  if (unit < 0xd800 || unit > 0xdfff) return p + 6;
  int other = unit < 0xdc00 && p[6] == '\\' && p[7] == 'u' ? json_hex4(p + 8) : -1;
  if (other < 0xdc00 || other > 0xdfff) return fault(c, p, "half of a surrogate pair stands alone");
  return p + 12;
}

/* `p` is behind the opening quote. Returns the byte behind the closing one, or NULL. */
static const char *check_string(checker *c, const char *p)
{
  for (;;) {
    p = json_skip_plain(p, c->end);
    int kind;
    while ((kind = json_in_string[(unsigned char)*p]) == JSON_PLAIN) p++;
    if (kind == JSON_QUOTE) return p + 1;
    if (kind == JSON_BACKSLASH) {
      if (!(p = check_escape(c, p))) return NULL;
    } else if (kind == JSON_CONTROL) {
      if (p == c->end) return fault(c, p, "a string is not closed");
      return fault(c, p, "control characters in strings must be escaped");
    } else {
      size_t length = utf8_length(p);
      if (!length) return fault(c, p, "invalid UTF-8");
      p += length;
    }
  }
}

/* The smallest whole number that rounds to infinity: 2^1024 - 2^970. */
static const char infinite[] =
    "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070"
    "9633028641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447"
    "5730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904"
    "174497792";

/* Whether the digits [p, end), which may hold a point, are at least those of `infinite`, both taken as
 * 0.DIGITS. */
static bool reaches_infinite(const char *p, const char *end)
{
  const char *limit = infinite;
  for (; p < end && *limit; p++) {
    if (*p == '.') continue;
    if (*p != *limit) return *p > *limit;
    limit++;
  }
  return !*limit;
}

/* Whether the number [p, end) rounds to infinity. Exact, and free of the locale, unlike strtod. */
static bool is_infinite(const char *p, const char *end)
{
  const char *first = NULL; /* digit that is not 0 */
  long scale = 0;           /* the value is 0.DIGITS * 10^scale, counted from `first` */
  bool fraction = false;
  if (*p == '-') p++;
  for (; p < end && (json_digit(*p) || *p == '.'); p++) {
    if (*p == '.')
      fraction = true;
    else if (!first && *p != '0')
      first = p;
    if (*p != '.' && first && !fraction) scale++;
    if (*p != '.' && !first && fraction) scale--;
  }
  if (!first) return false;
  const char *last = p;
  if (p < end) {
    bool negative = *++p == '-';
    long exponent = 0;
    for (p += *p == '-' || *p == '+'; p < end; p++)
      if (exponent < 1000000000) exponent = exponent * 10 + (*p - '0');
    scale += negative ? -exponent : exponent;
  }
  const long limit = sizeof infinite - 1;
  return scale > limit || (scale == limit && reaches_infinite(first, last));
}

static const char *skip_digits(checker *c, const char *p)
{
  if (!json_digit(*p)) return fault(c, p, "expected a digit");
  do p++;
  while (json_digit(*p));
  return p;
}

/* `p` is at the first byte. Returns the byte behind the number, or NULL. */
static const char *check_number(checker *c, const char *p)
{
  const char *start = p;
  if (*p == '-') p++;
  const char *digits = p;
  if (*p == '0' && json_digit(p[1])) return fault(c, p, "numbers have no leading zeros");
  if (!(p = skip_digits(c, p))) return NULL;
  size_t whole = (size_t)(p - digits);
  bool suspicious = whole > 200; /* of being too large */
  if (*p != '.' && *p != 'e' && *p != 'E') {
    if (!suspicious || !c->big_as_numbers) return p;
  } else {
    if (*p == '.' && !(p = skip_digits(c, p + 1))) return NULL;
    if (*p == 'e' || *p == 'E') {
      const char *exponent = p + 1 + (p[1] == '-' || p[1] == '+');
      if (!(p = skip_digits(c, exponent))) return NULL;
      suspicious |= p - exponent > 2;
    }
  }
  if (suspicious && is_infinite(start, p)) return fault(c, start, "the number is too large for a double");
  return p;
}

static const char *wrong_value(checker *c, const char *p)
{
  const char *problem = "expected a value";
  if (*p == '\'') problem = "expected a value (strings stand in double quotes)";
  if (*p == ']' || *p == '}') problem = "expected a value (no comma before a closing bracket)";
  if (*p == '/' || *p == '#') problem = "expected a value (JSON has no comments)";
  if (!strncmp(p, "NaN", 3) || !strncmp(p, "Inf", 3) || !strncmp(p, "-Inf", 4))
    problem = "NaN and Infinity are not JSON";
  return fault(c, p, problem);
}

static const char *wrong_key(checker *c, const char *p)
{
  return fault(c, p,
               *p == '}' ? "expected a key (no comma before a closing bracket)"
                         : "expected a key in double quotes");
}

/* A value that holds no others. Returns the byte behind it, or NULL. */
static const char *check_scalar(checker *c, const char *p)
{
  if (*p == '"') return check_string(c, p + 1);
  if (json_digit(*p) || (*p == '-' && p[1] != 'I')) return check_number(c, p);
  if (!strncmp(p, "true", 4) || !strncmp(p, "null", 4)) return p + 4;
  if (!strncmp(p, "false", 5)) return p + 5;
  return wrong_value(c, p);
}

/* `p` is where a key should be. Returns the byte behind the colon, or NULL. */
static const char *check_key(checker *c, const char *p)
{
  if (*p != '"') return wrong_key(c, p);
  if (!(p = check_string(c, p + 1))) return NULL;
  p = json_skip_space(p);
  return *p == ':' ? p + 1 : fault(c, p, "expected ':'");
}

/* One pass without recursion: the text is foreign, the C stack is ours. */
static const char *check_text(checker *c, const char *p)
{
  uint64_t objects[(JSON_MAX_DEPTH + 64) / 64] = {
      0};                           /* bit per level: an object is open there, not an array */
  size_t sizes[JSON_MAX_DEPTH + 1]; /* of what is open at each level: its index */
  unsigned depth = 0;               /* level 0, the text itself, is neither */
  bool object = false;              /* the bit of the innermost level */

  for (;;) { /* at a value */
    p = json_skip_space(p);
    if (*p == '{' || *p == '[') {
      if (depth == JSON_MAX_DEPTH) return fault(c, p, "nested too deep (at most 1000 levels)");
      uint64_t bit = UINT64_C(1) << ++depth % 64;
      object = *p == '{';
      objects[depth / 64] = object ? objects[depth / 64] | bit : objects[depth / 64] & ~bit;
      sizes[depth] = open_size(c);
      p = json_skip_space(p + 1);
      if (*p != (object ? '}' : ']')) {
        count_item(c, sizes[depth]);
        if (object && !(p = check_key(c, p))) return NULL;
        continue;
      }
    } else {
      if (!(p = check_scalar(c, p))) return NULL;
      p = json_skip_space(p);
    }
    for (;;) { /* behind a value, or at the bracket that closes an empty array or object */
      if (depth == 0) return p == c->end ? p : fault(c, p, "expected the end of the text");
      if (*p != (object ? '}' : ']')) break;
      p = json_skip_space(p + 1);
      depth--;
      object = objects[depth / 64] >> depth % 64 & 1;
    }
    if (*p != ',') return fault(c, p, object ? "expected ',' or '}'" : "expected ',' or ']'");
    p++;
    count_item(c, sizes[depth]);
    if (object && !(p = check_key(c, json_skip_space(p)))) return NULL;
  }
}

const char *json_check(const char *text, size_t length, bool big_as_numbers, size_t *position,
                       json_sizes *sizes)
{
  checker c = {.end = text + length, .big_as_numbers = big_as_numbers, .sizes = sizes};
  if (sizes) sizes->count = 0;
  if (check_text(&c, text)) return NULL;
  *position = (size_t)(c.position - text);
  return c.problem;
}
