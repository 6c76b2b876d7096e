#include "format/http/head.h"

#include <stdio.h>
#include <string.h>

/* ---- characters ---- */

/* Of a token (RFC 9110 section 5.6.2). */
/* clang-format off */
static const bool token[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,
    ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
    ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
    ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
    ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
    ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
    ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};
/* clang-format on */

static bool is_space(char c) { return c == ' ' || c == '\t'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void trim_between(const char **at, const char **end)
{
  while (*at < *end && is_space(**at)) ++*at;
  while (*at < *end && is_space((*end)[-1])) --*end;
}

/* Without the C locale's letters, which strncasecmp would go by. */
static bool same_letters(const char *a, const char *b, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];
    if (x != y && ((x ^ y) != 0x20 || (x | 0x20) < 'a' || (x | 0x20) > 'z')) return false;
  }
  return true;
}

static bool same(const char *text, size_t length, const char *name)
{
  return length == strlen(name) && same_letters(text, name, length);
}

/* What no line may hold. Other control characters are strange, but split nothing. */
static bool has_control(const char *at, const char *end)
{
  size_t length = (size_t)(end - at);
  return memchr(at, 0, length) || memchr(at, '\r', length);
}

/* The next non-empty element of a comma-separated list, trimmed; false at the end. */
static bool next_element(const char **at, const char *end, const char **element, const char **element_end)
{
  while (*at < end) {
    const char *comma = memchr(*at, ',', (size_t)(end - *at));
    *element = *at;
    *element_end = comma ? comma : end;
    *at = comma ? comma + 1 : end;
    trim_between(element, element_end);
    if (*element < *element_end) return true;
  }
  return false;
}

/* ---- what a request may send ---- */

bool head_valid_name(const char *name, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if (!token[(unsigned char)name[i]]) return false;
  }
  return length > 0;
}

bool head_valid_value(const char *value, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)value[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  }
  return true;
}

bool head_valid_method(const char *method, size_t length) { return head_valid_name(method, length); }

/* ---- failing ---- */

static bool broken(error *e, const char *what)
{
  error_set(e, ERROR_protocol, NULL, "the server sent %s", what);
  return false;
}

/* With the piece that is wrong, cut and made printable. */
static bool broken_at(error *e, const char *what, const char *at, const char *end)
{
  char shown[41];
  size_t length = 0;
  while (at < end && length < sizeof shown - 1) {
    unsigned char c = (unsigned char)*at++;
    shown[length++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
  }
  shown[length] = 0;
  error_set(e, ERROR_protocol, NULL, "the server sent %s: \"%s%s\"", what, shown, at < end ? "…" : "");
  return false;
}

static bool too_large(const head *h, error *e)
{
  error_set(e, ERROR_too_large, NULL, "the response's headers are larger than %zu bytes (max_headers)",
            h->limit);
  e->limit = (double)h->limit;
  e->observed = (double)h->received;
  return false;
}

static bool out_of_memory(error *e)
{
  error_set(e, ERROR_limit, NULL, "out of memory");
  return false;
}

/* ---- status lines ---- */

static void forget_response(head *h)
{
  h->block.length = 0;
  h->status = h->version = 0;
  h->content_length = -1;
  h->chunked = h->close = h->must_close = h->complete = false;
  h->in_head = h->may_fold = h->has_length = h->has_transfer_encoding = false;
  h->reason[0] = 0;
  h->flags = h->keep_alive = 0;
}

static bool status_line(head *h, const char *line, const char *end, error *e)
{
  static const char bad[] = "a bad status line";
  const char *at = line + 5;
  if (end - line < 6 || memcmp(line, "HTTP/", 5) != 0) return broken_at(e, bad, line, end);
  forget_response(h);
  if (end - at >= 4 && at[0] == '1' && at[1] == '.' && (at[2] == '0' || at[2] == '1') && at[3] == ' ') {
    h->version = at[2] == '0' ? 10 : 11;
    at += 4;
  } else if (h->http2_allowed && end - at >= 2 && at[0] == '2' && at[1] == ' ') {
    h->version = 20;
    at += 2;
  } else {
    return broken_at(e, "a status line of another HTTP version", line, end);
  }
  if (end - at < 3 || !is_digit(at[0]) || !is_digit(at[1]) || !is_digit(at[2]) || at[0] == '0' ||
      (end - at > 3 && at[3] != ' '))
    return broken_at(e, bad, line, end);
  h->status = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
  at += 3;
  trim_between(&at, &end);
  if (has_control(at, end)) return broken_at(e, bad, line, end);
  size_t length = (size_t)(end - at);
  bool cut = length >= sizeof h->reason;
  if (cut) length = error_fitting(at, sizeof h->reason - sizeof CUT_MARK);
  memcpy(h->reason, at, length);
  strcpy(h->reason + length, cut ? CUT_MARK : "");
  if (h->status == 101 && !h->upgrade_allowed)
    return broken(e, "101 Switching Protocols, which was not asked for");
  h->close = h->version == 10;
  h->in_head = true;
  return true;
}

/* ---- headers that frame the body ---- */

static bool content_length(head *h, const char *at, const char *end, error *e)
{
  const char *whole = at, *element, *element_end;
  bool any = false;
  while (next_element(&at, end, &element, &element_end)) {
    int64_t value = 0;
    for (; element < element_end; element++) {
      if (!is_digit(*element)) return broken_at(e, "an invalid Content-Length", whole, end);
      if (value > (INT64_MAX - (*element - '0')) / 10)
        return broken_at(e, "a Content-Length that is too large", whole, end);
      value = value * 10 + (*element - '0');
    }
    if (h->has_length && value != h->content_length)
      return broken_at(e, "contradictory Content-Length values", whole, end);
    h->has_length = any = true;
    h->content_length = value;
  }
  return any || broken(e, "an empty Content-Length");
}

static bool transfer_encoding(head *h, const char *at, const char *end, error *e)
{
  const char *coding, *coding_end;
  while (next_element(&at, end, &coding, &coding_end)) {
    if (same(coding, (size_t)(coding_end - coding), "identity")) continue;
    if (!same(coding, (size_t)(coding_end - coding), "chunked"))
      return broken_at(e, "an unknown transfer coding", coding, coding_end);
    if (h->chunked) h->must_close = true;
    h->chunked = true;
  }
  h->has_transfer_encoding = true;
  return h->version < 20 || broken(e, "a Transfer-Encoding in HTTP/2");
}

static void connection(head *h, const char *at, const char *end)
{
  const char *option, *option_end;
  while (next_element(&at, end, &option, &option_end)) {
    if (same(option, (size_t)(option_end - option), "close"))
      h->close = true;
    else if (h->version == 10 && same(option, (size_t)(option_end - option), "keep-alive"))
      h->close = false;
  }
}

static bool starts_with(const char *text, size_t length, const char *prefix)
{
  return length >= strlen(prefix) && same_letters(text, prefix, strlen(prefix));
}

static const char *skip_blanks(const char *at, const char *end)
{
  while (at < end && (*at == ' ' || *at == '\t')) at++;
  return at;
}

/* Of the parameter "timeout": its value, which may be quoted and have blanks before it; NULL: it is another
 * one. */
static const char *timeout_value(const char *at, const char *end)
{
  static const char name[] = "timeout";
  if (!starts_with(at, (size_t)(end - at), name)) return NULL;
  at = skip_blanks(at + sizeof name - 1, end);
  if (at == end || *at != '=') return NULL;
  at = skip_blanks(at + 1, end);
  return at < end && *at == '"' ? at + 1 : at;
}

/* How long the peer keeps the connection without a request. What is not understood is left out. */
static void keep_alive(head *h, const char *at, const char *end)
{
  enum { MAX_SECONDS = 1000000 };
  const char *parameter, *parameter_end;
  while (next_element(&at, end, &parameter, &parameter_end)) {
    parameter = timeout_value(parameter, parameter_end);
    if (!parameter) continue;
    unsigned seconds = 0;
    bool is_zero = parameter < parameter_end && *parameter == '0';
    for (; parameter < parameter_end && is_digit(*parameter); parameter++)
      if (seconds < MAX_SECONDS) seconds = seconds * 10 + (unsigned)(*parameter - '0');
    h->keep_alive = seconds;
    if (is_zero && !seconds) h->must_close = true;
  }
}

/* ---- header lines ---- */

/* Without the line end in `end`; CRLF is put behind it in the block. */
static bool append_line(head *h, const char *line, const char *end, error *e)
{
  size_t length = (size_t)(end - line);
  if (!buffer_reserve(&h->block, length + 2)) return out_of_memory(e);
  char *to = h->block.bytes + h->block.length;
  memcpy(to, line, length);
  memcpy(to + length, "\r\n", 2);
  h->block.length += length + 2;
  return true;
}

/* An obsolete continuation line: one space and its text go behind the line before it. */
static bool continuation_line(head *h, const char *line, const char *end, error *e)
{
  if (!h->may_fold) return broken(e, "a continuation line where none may be");
  trim_between(&line, &end);
  if (has_control(line, end)) return broken(e, "a header value with a control character");
  if (line == end) return true;
  if (!buffer_reserve(&h->block, 1)) return out_of_memory(e);
  h->block.bytes[h->block.length - 2] = ' ';
  h->block.length--;
  return append_line(h, line, end, e);
}

/* Which note the header of this name is worth. */
static unsigned flag_of(const char *name, size_t length)
{
  switch (*name | 0x20) {
  case 's':
    return same(name, length, "set-cookie") ? HEAD_SETS_COOKIES : 0;
  case 'r':
    return starts_with(name, length, "ratelimit") || starts_with(name, length, "retry-after")
               ? HEAD_LIMITS_RATE
               : 0;
  case 'x':
    return starts_with(name, length, "x-rate") ? HEAD_LIMITS_RATE : 0;
  default:
    return 0;
  }
}

static bool header_line(head *h, const char *line, const char *end, error *e)
{
  const char *colon = line;
  while (colon < end && token[(unsigned char)*colon]) colon++;
  if (colon == end) return broken_at(e, "a header line without a colon", line, end);
  if (*colon != ':' || colon == line) return broken_at(e, "a bad header name", line, end);
  const char *value = colon + 1, *value_end = end;
  trim_between(&value, &value_end);
  if (has_control(value, value_end))
    return broken_at(e, "a header value with a control character", line, colon);
  if (!append_line(h, line, value_end > value ? value_end : colon + 1, e)) return false;
  h->may_fold = true;
  h->flags |= flag_of(line, (size_t)(colon - line));
  switch (colon - line) {
  case 10:
    if (same(line, 10, "connection")) connection(h, value, value_end);
    if (same(line, 10, "keep-alive")) keep_alive(h, value, value_end);
    return true;
  case 14:
    if (!same(line, 14, "content-length")) return true;
    h->may_fold = false; /* what frames the body must be read by everybody alike */
    return content_length(h, value, value_end, e);
  case 17:
    if (!same(line, 17, "transfer-encoding")) return true;
    h->may_fold = false;
    return transfer_encoding(h, value, value_end, e);
  default:
    return true;
  }
}

static bool blank_line(head *h, error *e)
{
  h->in_head = h->may_fold = false;
  if (h->status >= 200 || h->status == 101) {
    h->complete = true;
    if (h->has_transfer_encoding && h->has_length) h->must_close = true;
    if (h->chunked && h->version == 10) h->must_close = true;
    /* It has none, whatever it says; the peer may send one all the same. */
    if (h->status == 204 && (h->chunked || h->content_length > 0)) h->must_close = true;
    return true;
  }
  if (++h->interim <= HEAD_INTERIM_LIMIT) return true;
  error_set(e, ERROR_protocol, NULL, "the server sent more than %d interim (1xx) responses",
            HEAD_INTERIM_LIMIT);
  return false;
}

bool head_line(head *h, const char *line, size_t length, error *e)
{
  const char *end = line + length;
  h->received += length;
  if (h->received > h->limit) return too_large(h, e);
  if (h->complete || length == 0 || end[-1] != '\n') return true;
  end--;
  if (end > line && end[-1] == '\r') end--;
  if (!h->in_head) return status_line(h, line, end, e);
  if (line == end) return blank_line(h, e);
  if (is_space(*line)) return continuation_line(h, line, end, e);
  return header_line(h, line, end, e);
}

/* ---- life ---- */

void head_init(head *h, size_t limit) { *h = (head){.limit = limit, .content_length = -1}; }

void head_reset(head *h)
{
  forget_response(h);
  h->interim = 0;
  h->received = 0;
}

void head_free(head *h)
{
  buffer_free(&h->block);
  head_reset(h);
}

/* ---- look-ups ---- */

size_t head_next(const char *block, size_t length, size_t offset, const char **name, size_t *name_length,
                 const char **value, size_t *value_length)
{
  if (offset >= length) return 0;
  const char *line = block + offset, *end = memchr(line, '\n', length - offset);
  if (!end) return 0;
  size_t next = (size_t)(end - block) + 1;
  if (end > line && end[-1] == '\r') end--;
  const char *colon = memchr(line, ':', (size_t)(end - line));
  if (!colon) return 0;
  *name = line;
  *name_length = (size_t)(colon - line);
  const char *from = colon + 1;
  trim_between(&from, &end);
  *value = from;
  *value_length = (size_t)(end - from);
  return next;
}

bool head_find(const char *block, size_t length, const char *name, size_t name_length, const char **value,
               size_t *value_length)
{
  const char *line = block, *end = block + length;
  if (memchr(name, ':', name_length)) return false; /* it would match into a value */
  while (line < end) {
    const char *line_end = memchr(line, '\n', (size_t)(end - line));
    if (!line_end) return false;
    if ((size_t)(line_end - line) > name_length && line[name_length] == ':' &&
        same_letters(line, name, name_length)) {
      const char *from = line + name_length + 1;
      if (line_end > from && line_end[-1] == '\r') line_end--;
      trim_between(&from, &line_end);
      *value = from;
      *value_length = (size_t)(line_end - from);
      return true;
    }
    line = line_end + 1;
  }
  return false;
}

bool head_values(const char *block, size_t length, const char *name, size_t name_length, buffer *out)
{
  const char *found, *value;
  size_t offset = 0, found_length, value_length;
  bool first = true;
  while ((offset = head_next(block, length, offset, &found, &found_length, &value, &value_length))) {
    if (found_length != name_length || !same_letters(found, name, name_length)) continue;
    if (!first && !buffer_append(out, ", ", 2)) return false;
    if (!buffer_append(out, value, value_length)) return false;
    first = false;
  }
  return true;
}
