#include "format/http/request_head.h"

#include <string.h>
#include <strings.h>

/* token characters of RFC 9110, 5.6.2 */
static bool is_token_character(unsigned char c)
{
  if ((c | 32) >= 'a' && (c | 32) <= 'z') return true;
  return (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(text_view v)
{
  for (size_t i = 0; i < v.length; i++)
    if (!is_token_character((unsigned char)v.bytes[i])) return false;
  return v.length > 0;
}

static bool is(text_view v, const char *word)
{
  return v.length == strlen(word) && !strncasecmp(v.bytes, word, v.length);
}

static text_view trim(text_view v)
{
  while (v.length && (v.bytes[0] == ' ' || v.bytes[0] == '\t')) v.bytes++, v.length--;
  while (v.length && (v.bytes[v.length - 1] == ' ' || v.bytes[v.length - 1] == '\t')) v.length--;
  return v;
}

/* Takes the next line off `rest`, without its end. */
static text_view next_line(text_view *rest)
{
  const char *end = memchr(rest->bytes, '\n', rest->length);
  size_t length = end ? (size_t)(end - rest->bytes) : rest->length;
  text_view line = {rest->bytes, length};
  size_t step = end ? length + 1 : length;
  rest->bytes += step;
  rest->length -= step;
  if (line.length && line.bytes[line.length - 1] == '\r') line.length--;
  return line;
}

/* Takes the next member off a comma-separated list. */
static text_view next_member(text_view *rest)
{
  const char *end = memchr(rest->bytes, ',', rest->length);
  text_view member = {rest->bytes, end ? (size_t)(end - rest->bytes) : rest->length};
  size_t step = end ? member.length + 1 : member.length;
  rest->bytes += step;
  rest->length -= step;
  return trim(member);
}

static int refuse(request_head *h, int status, const char *fault)
{
  h->fault = fault;
  return status;
}

static int read_request_line(request_head *h, text_view line)
{
  const char *space = memchr(line.bytes, ' ', line.length);
  if (!space) return refuse(h, 400, "the request line has no target");
  h->method = (text_view){line.bytes, (size_t)(space - line.bytes)};
  if (!is_token(h->method)) return refuse(h, 400, "the method is not a token");
  const char *end = line.bytes + line.length, *target = space + 1;
  const char *second = memchr(target, ' ', (size_t)(end - target));
  if (!second) return refuse(h, 400, "the request line has no version");
  h->target = (text_view){target, (size_t)(second - target)};
  if (!h->target.length) return refuse(h, 400, "the target is empty");
  for (size_t i = 0; i < h->target.length; i++)
    if ((unsigned char)target[i] < 0x21 || target[i] == 0x7f)
      return refuse(h, 400, "the target has a control character");
  text_view version = {second + 1, (size_t)(end - second - 1)};
  if (version.length != 8 || memcmp(version.bytes, "HTTP/", 5) || version.bytes[6] != '.')
    return refuse(h, 400, "the version is malformed");
  h->version = (text_view){version.bytes + 5, 3};
  if (version.bytes[5] != '1') return refuse(h, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  if (version.bytes[7] != '0' && version.bytes[7] != '1') return refuse(h, 505, "unknown HTTP/1 version");
  return 0;
}

static int read_content_length(request_head *h, text_view value)
{
  while (value.length) {
    text_view member = next_member(&value);
    int64_t number = 0;
    if (!member.length || member.length > 18) return refuse(h, 400, "Content-Length is not a length");
    for (size_t i = 0; i < member.length; i++) {
      if (member.bytes[i] < '0' || member.bytes[i] > '9')
        return refuse(h, 400, "Content-Length is not a length");
      number = number * 10 + (member.bytes[i] - '0');
    }
    if (h->content_length >= 0 && h->content_length != number)
      return refuse(h, 400, "two different values of Content-Length");
    h->content_length = number;
  }
  return h->content_length < 0 ? refuse(h, 400, "Content-Length is empty") : 0;
}

static int read_transfer_encoding(request_head *h, text_view value)
{
  while (value.length) {
    text_view coding = next_member(&value);
    if (!coding.length) continue;
    if (h->chunked) return refuse(h, 400, "chunked is not the last transfer coding");
    if (!is(coding, "chunked")) return refuse(h, 501, "only the transfer coding chunked is known here");
    h->chunked = true;
  }
  return 0;
}

static void read_connection(request_head *h, text_view value, bool *closes)
{
  while (value.length) {
    text_view option = next_member(&value);
    if (is(option, "close")) *closes = true;
    if (is(option, "keep-alive")) h->keep_alive = true;
  }
}

/* None, or digits. */
static bool is_port(text_view v)
{
  unsigned port = 0;
  for (size_t i = 0; i < v.length; i++) {
    if (v.bytes[i] < '0' || v.bytes[i] > '9') return false;
    port = port * 10 + (unsigned)(v.bytes[i] - '0');
    if (port > 65535) return false;
  }
  return true;
}

/* unreserved, percent-encoded and sub-delims of RFC 3986; within brackets what an address is made of */
static bool is_host_character(unsigned char c, bool bracketed)
{
  if ((c | 32) >= 'a' && (c | 32) <= 'z') return true;
  if (c >= '0' && c <= '9') return true;
  return c && strchr(bracketed ? ".:" : "-._~%!$&'()*+,;=", c);
}

/* A host, or none, and perhaps a port. */
static bool is_host(text_view v)
{
  bool bracketed = v.length && *v.bytes == '[';
  const char *end = bracketed ? memchr(v.bytes, ']', v.length) : memchr(v.bytes, ':', v.length);
  if (bracketed && !end) return false;
  size_t name = bracketed || end ? (size_t)(end - v.bytes) : v.length;
  for (size_t i = bracketed; i < name; i++)
    if (!is_host_character((unsigned char)v.bytes[i], bracketed)) return false;
  text_view rest = {v.bytes + name + bracketed, v.length - name - bracketed};
  if (!rest.length) return !bracketed || name > 1;
  return *rest.bytes == ':' && is_port((text_view){rest.bytes + 1, rest.length - 1});
}

/* What is decided only once all headers are known. */
typedef struct {
  bool old; /* HTTP/1.0 */
  bool closes, coded;
  unsigned hosts;
} framing;

static int read_header(request_head *h, framing *f, text_view name, text_view value)
{
  switch (name.length) { /* spares most headers the comparisons */
  case 4:
    if (!is(name, "host")) return 0;
    f->hosts++;
    return is_host(value) ? 0 : refuse(h, 400, "the Host header is no host");
  case 6:
    if (!is(name, "expect")) return 0;
    if (!is(value, "100-continue")) return refuse(h, 417, "only 100-continue can be expected");
    h->expects_continue = !f->old;
    return 0;
  case 10:
    if (is(name, "connection")) read_connection(h, value, &f->closes);
    return 0;
  case 14:
    return is(name, "content-length") ? read_content_length(h, value) : 0;
  case 17:
    if (!is(name, "transfer-encoding")) return 0;
    f->coded = true;
    return read_transfer_encoding(h, value);
  default:
    return 0;
  }
}

static int read_header_line(request_head *h, framing *f, text_view line)
{
  const char *colon = memchr(line.bytes, ':', line.length);
  if (!colon) return refuse(h, 400, "a header line has no colon");
  text_view name = {line.bytes, (size_t)(colon - line.bytes)};
  text_view value = trim((text_view){colon + 1, line.length - name.length - 1});
  if (!is_token(name)) return refuse(h, 400, "a header name is not a token");
  for (size_t i = 0; i < value.length; i++)
    if (((unsigned char)value.bytes[i] < 0x20 && value.bytes[i] != '\t') || value.bytes[i] == 0x7f)
      return refuse(h, 400, "a header value has a control character");
  return read_header(h, f, name, value);
}

static int check_framing(request_head *h, const framing *f)
{
  if (f->closes) h->keep_alive = false;
  if (!f->old && f->hosts != 1)
    return refuse(h, 400, f->hosts ? "more than one Host header" : "the Host header is missing");
  if (f->coded && (!h->chunked || f->old))
    return refuse(h, 400, "Transfer-Encoding without chunked, or in HTTP/1.0");
  if (h->chunked && h->content_length >= 0)
    return refuse(h, 400, "both Transfer-Encoding and Content-Length");
  return 0;
}

int request_head_parse(request_head *h, const char *bytes, size_t length)
{
  text_view rest = {bytes, length}, line;
  *h = (request_head){.content_length = -1};
  int status = read_request_line(h, next_line(&rest));
  if (status) return status;
  framing f = {.old = h->version.bytes[2] == '0'};
  h->keep_alive = !f.old;
  while (!status && rest.length && (line = next_line(&rest)).length) status = read_header_line(h, &f, line);
  return status ? status : check_framing(h, &f);
}
