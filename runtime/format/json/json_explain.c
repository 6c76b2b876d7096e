#include "format/json/json_explain.h"

#include "core/utf8.h"
#include "format/json/json_scan.h"

#include <stdio.h>
#include <strings.h>

static bool begins(const char *text, size_t length, const char *with)
{
  size_t wanted = strlen(with);
  return length >= wanted && strncasecmp(text, with, wanted) == 0;
}

/* What the whole text seems to be, judging by its first bytes; NULL when nothing comes to mind. */
static const char *guess(const char *text, size_t length)
{
  const unsigned char *bytes = (const unsigned char *)text;
  if (length >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) return "it looks like gzip";
  if (length >= 2 && (!bytes[0] || !bytes[1] || (bytes[0] == 0xff && bytes[1] == 0xfe) ||
                      (bytes[0] == 0xfe && bytes[1] == 0xff)))
    return "it looks like UTF-16 or UTF-32, JSON is UTF-8";
  const char *p = json_skip_space(text);
  length -= (size_t)(p - text);
  if (begins(p, length, "<!doctype html") || begins(p, length, "<html")) return "it looks like HTML";
  if (begins(p, length, "<")) return "it looks like XML or HTML";
  if (begins(p, length, "data:") || begins(p, length, "event:")) return "it looks like server-sent events";
  if (begins(p, length, ")]}'")) return "it has a guard prefix that must be cut off";
  return NULL;
}

/* Copies up to `most` bytes of `text` to `out` (room for 4 * most + 1), made printable. */
static void excerpt(const char *text, size_t length, size_t most, char *out)
{
  const char *end = text + (length < most ? length : most);
  while (text < end) {
    int kind = json_in_string[(unsigned char)*text];
    size_t bytes = kind == JSON_CONTROL || *text == 0x7f ? 0 : kind < JSON_CONTROL ? 1 : utf8_length(text);
    if (bytes && bytes <= (size_t)(end - text)) {
      memcpy(out, text, bytes);
      out += bytes;
      text += bytes;
    } else if (*text == '\n') {
      out += sprintf(out, "\\n");
      text++;
    } else if (bytes) {
      break; /* the excerpt ends within a character */
    } else {
      out += sprintf(out, "\\x%02X", (unsigned char)*text++);
    }
  }
  *out = 0;
}

void json_explain(const char *text, size_t length, const char *problem, size_t position, char *message,
                  size_t size, size_t *line, size_t *column)
{
  enum { NEAR = JSON_EXPLAIN_NEAR, START = 16 };
  char shown[4 * NEAR + 1], found[4 * NEAR + 16], start[4 * START + 96] = "";
  const char *body = text + (length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0);
  const char *at = text + position;

  *line = *column = 1;
  for (const char *p = body; p < at; p++) {
    if (*p == '\n') {
      ++*line;
      *column = 1;
    } else if ((*p & 0xc0) != 0x80) {
      ++*column;
    }
  }
  if (json_skip_space(body) == text + length) {
    snprintf(message, size, "JSON does not parse: the text is empty");
    return;
  }
  if (position >= length) {
    snprintf(found, sizeof found, "where the text ends");
  } else {
    excerpt(at, length - position, NEAR, shown);
    snprintf(found, sizeof found, "near \"%s\"", shown);
  }
  const char *kind = guess(body, length - (size_t)(body - text));
  if (kind) {
    excerpt(body, length - (size_t)(body - text), START, shown);
    snprintf(start, sizeof start, "; the text begins with \"%.64s\": %s", shown, kind);
  } else if (*line > 1 && *column == 1 && !strncmp(problem, "expected the end", 16)) {
    snprintf(start, sizeof start, "; several values, one per line, are read by json.lines");
  }
  snprintf(message, size, "JSON does not parse at line %zu column %zu (byte %zu): %s %s%s", *line, *column,
           position + 1, problem, found, start);
}
