#include "format/json/json_layout.h"

#include <string.h>

/* One byte behind the string that begins at `from`; 0 when it does not end. Each byte is looked at twice at
 * most. */
static size_t string_end(const char *text, size_t length, size_t from)
{
  size_t quote = from;
  for (size_t at = from + 1; at < length; at++) {
    if (at > quote) {
      const char *found = memchr(text + at, '"', length - at);
      if (!found) return 0;
      quote = (size_t)(found - text);
    }
    const char *escape = memchr(text + at, '\\', quote - at);
    if (!escape) return quote + 1;
    at = (size_t)(escape - text) + 1; /* what is escaped */
  }
  return 0;
}

static bool ends_scalar(char c) { return c == 0 || strchr("[]{},: \t\r\n\"", c) != NULL; }

static size_t scalar_end(const char *text, size_t length, size_t from)
{
  size_t at = from;
  while (at < length && !ends_scalar(text[at])) at++;
  return at > from ? at : 0;
}

size_t json_value_end(const char *text, size_t length, size_t from)
{
  size_t depth = 0, at = from;
  if (from >= length) return 0;
  if (text[from] == '"') return string_end(text, length, from);
  if (text[from] != '{' && text[from] != '[') return scalar_end(text, length, from);
  while (at < length) {
    char c = text[at];
    if (c == '"') {
      at = string_end(text, length, at);
      if (!at) return 0;
      continue;
    }
    at++;
    if (c == '{' || c == '[') depth++;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return 0;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

size_t json_join(char *out, const char *text, size_t length, bool spaced)
{
  char *to = out;
  for (size_t at = 0; at < length;) {
    size_t end = text[at] == '"' ? string_end(text, length, at) : at + 1;
    if (!end) end = length;
    if (!is_space(text[at])) {
      memcpy(to, text + at, end - at);
      to += end - at;
      if (spaced && (text[at] == ',' || text[at] == ':')) *to++ = ' ';
    }
    at = end;
  }
  return (size_t)(to - out);
}
