#include "format/url/url.h"

#include "core/utf8.h"
#include "format/url/url_characters.h"
#include "format/url/url_idn.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* ---- the parser ---- */

typedef struct {
  url *u;
  const char *text, *at, *end;
  error *e;
  uint16_t usual_port; /* the scheme's, 0: it has none, and needs no host */
} parser;

static bool out_of_memory(error *e)
{
  error_set(e, ERROR_limit, NULL, "out of memory");
  return false;
}

static bool fail(parser *p, const char *where, const char *what)
{
  error_set(p->e, ERROR_url, NULL, "the URL has %s at byte %zu", what, (size_t)(where - p->text) + 1);
  return false;
}

static bool refuse(parser *p, const char *message)
{
  error_set(p->e, ERROR_url, NULL, "%s", message);
  return false;
}

/* A control character or backslash at `where`, or else what the caller thinks is wrong there. */
static bool fail_character(parser *p, const char *where, const char *otherwise)
{
  switch (*where) {
  case '\0':
    return fail(p, where, "a NUL");
  case '\t':
    return fail(p, where, "a tab");
  case '\n':
    return fail(p, where, "a line feed");
  case '\r':
    return fail(p, where, "a carriage return");
  case '\\':
    return fail(p, where, "a backslash");
  default:
    if ((unsigned char)*where < 0x20 || *where == 0x7f) return fail(p, where, "a control character");
    return fail(p, where, otherwise);
  }
}

static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }

/* Room for `more` bytes and the final NUL. */
static bool reserve(parser *p, size_t more)
{
  return buffer_reserve(&p->u->text, more + 1) || out_of_memory(p->e);
}

static void put(parser *p, const char *bytes, size_t length)
{
  memcpy(p->u->text.bytes + p->u->text.length, bytes, length);
  p->u->text.length += length;
}

static void put_character(parser *p, char c) { p->u->text.bytes[p->u->text.length++] = c; }

static url_part begin_part(parser *p) { return (url_part){.offset = (uint32_t)p->u->text.length}; }

static void end_part(parser *p, url_part *part)
{
  part->length = (uint32_t)(p->u->text.length - part->offset);
}

static void put_escaped(parser *p, char c)
{
  static const char digits[] = "0123456789ABCDEF";
  put_character(p, '%');
  put_character(p, digits[(unsigned char)c >> 4]);
  put_character(p, digits[(unsigned char)c & 15]);
}

/* Room for a part that ends at `end` and is encoded throughout, and for what follows as it is. */
static bool reserve_encoded(parser *p, const char *end)
{
  return reserve(p, 3 * (size_t)(end - p->at) + (size_t)(p->end - end) + 16);
}

/* Copies what comes before `end`, encoding what is not of `class`. Neither a path nor userinfo takes a
 * backslash: half of the world reads it as "/", so that what is checked ("http://good\@evil/") and what is
 * fetched could differ. */
static bool put_encoded(parser *p, const char *end, int class)
{
  if (!reserve_encoded(p, end)) return false;
  for (; p->at < end; p->at++) {
    const char *at = p->at;
    if (url_is(*at, class) || url_is_escape(at, end))
      put_character(p, *at);
    else if (*at == '\\' && class == URL_USER)
      return fail(p, at, "a backslash before the host (in a name or password write %5C)");
    else if (is_control(*at) || (*at == '\\' && class == URL_PATH))
      return fail_character(p, at, NULL);
    else
      put_escaped(p, *at);
  }
  return true;
}

/* A part up to the first of the characters `stop` and `stop_too`, or the end. */
static bool put_part(parser *p, int class, char stop, char stop_too, url_part *part)
{
  const char *at = p->at;
  *part = begin_part(p);
  while (at < p->end && url_is(*at, class)) at++;
  put(p, p->at, (size_t)(at - p->at));
  p->at = at;
  if (at < p->end && *at != stop && *at != stop_too) {
    while (at < p->end && *at != stop && *at != stop_too) at++;
    if (!put_encoded(p, at, class)) return false;
  }
  end_part(p, part);
  return true;
}

/* ---- scheme ---- */

static bool scheme_is(const url *u, const char *name)
{
  return u->scheme.length == strlen(name) && memcmp(u->text.bytes, name, u->scheme.length) == 0;
}

/* Schemes that go nowhere without a host, and their ports. */
static const struct {
  const char *name;
  uint16_t port;
} schemes[] = {{"https", 443}, {"http", 80}, {"wss", 443}, {"ws", 80}, {"ftp", 21}};

static uint16_t default_port(const url *u)
{
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    if (scheme_is(u, schemes[i].name)) return schemes[i].port;
  }
  return 0;
}

static bool parse_scheme(parser *p)
{
  const char *at = p->at;
  if (at < p->end && *at == ' ') return refuse(p, "the URL begins with a space");
  while (at < p->end && url_is(*at, URL_SCHEME)) at++;
  if (at == p->end || *at != ':' || at == p->at) {
    if (at < p->end && is_control(*at)) return fail_character(p, at, NULL);
    if (p->at == p->end) return refuse(p, "the URL is empty");
    if (*p->at == '/' || *p->at == '?' || *p->at == '#' || *p->at == '.')
      return refuse(p, "the URL is relative and there is no base: write https://…");
    return refuse(p, "no scheme: write https://…");
  }
  if (url_is(*p->at, URL_DIGIT) || !url_is(*p->at, URL_UNRESERVED) || *p->at == '-' || *p->at == '.')
    return refuse(p, "no scheme: write https://…"); /* "127.0.0.1:8080/" */
  p->u->scheme = begin_part(p);
  while (p->at < at) put_character(p, url_lower(*p->at++));
  end_part(p, &p->u->scheme);
  put_character(p, ':');
  p->at++;
  p->usual_port = default_port(p->u);
  return true;
}

/* ---- host ---- */

enum { HOST_LIMIT = 255, LABEL_LIMIT = 63 };

/* Room must have been reserved. This is on the way of every request, where printf would be most of the
 * parsing. */
static void put_number(parser *p, unsigned number)
{
  char digits[10], *first = digits + sizeof digits;
  do *--first = (char)('0' + number % 10);
  while (number /= 10);
  put(p, first, (size_t)(digits + sizeof digits - first));
}

/* Checks the host that was written and puts an IPv4 address into its usual form. */
static bool check_host(parser *p, const char *given)
{
  url *u = p->u;
  char *host = u->text.bytes + u->host.offset, *end = host + u->host.length;
  if (u->host.length > HOST_LIMIT) return refuse(p, "the URL's host is longer than 255 bytes");
  for (const char *c = host, *label = host; c < end; c++) {
    if (*c != '.') {
      if (c - label >= LABEL_LIMIT) return fail(p, given, "a host with a label of more than 63 bytes");
      continue;
    }
    if (c == label) return fail(p, given, "a host with an empty label");
    label = c + 1;
  }
  if (!url_ends_in_number(host, end)) return true;
  uint32_t address;
  if (!url_parse_ipv4(host, end, &address)) return fail(p, given, "a host that is not a valid IPv4 address");
  u->text.length = u->host.offset;
  if (!reserve(p, 32 + (size_t)(p->end - p->at))) return false;
  for (int shift = 24; shift >= 0; shift -= 8) {
    put_number(p, address >> shift & 255);
    if (shift) put_character(p, '.');
  }
  end_part(p, &u->host);
  return true;
}

/* The mapping of international names makes any character of ASCII ("℀" is "a/c"). */
static bool put_mapped_name(parser *p, const char *name)
{
  size_t length = strlen(name);
  for (size_t i = 0; i < length; i++) {
    if (!url_is(name[i], URL_HOST))
      return refuse(p, "the URL's host has a character that stands for a delimiter");
  }
  if (!reserve(p, length + 3 * (size_t)(p->end - p->at) + 16)) return false;
  put(p, name, length);
  return true;
}

/* Puts what DNS knows in the place of the UTF-8 name that was put last; a NUL follows it. */
static bool put_international_name(parser *p)
{
  const char *reason = NULL;
  buffer *text = &p->u->text;
  char *name = url_idn_to_ascii(text->bytes + p->u->host.offset, &reason);
  if (!name) {
    error_set(p->e, ERROR_url, NULL, "the URL's host is not a valid international name: %s", reason);
    return false;
  }
  text->length = p->u->host.offset;
  bool whole = put_mapped_name(p, name);
  free(name);
  return whole;
}

/* A name or IPv4 address with capitals, UTF-8 or percent-encoding. */
static bool put_name(parser *p, const char *at, const char *end)
{
  while (at < end) {
    char c = url_lower(*at);
    size_t taken = 1;
    if (url_is_escape(at, end)) {
      c = url_lower((char)(url_hex(at[1]) << 4 | url_hex(at[2])));
      taken = 3;
    }
    if (url_is(c, URL_HOST) || (c & 0x80)) {
      put_character(p, c);
      at += taken;
      continue;
    }
    if (taken == 3) return fail(p, at, "a character that cannot be in a host");
    if (c == ' ') return fail(p, at, "a space in the host");
    return fail_character(p, at, "a character that cannot be in a host");
  }
  buffer *text = &p->u->text;
  text->bytes[text->length] = 0;
  bool ascii = true;
  for (const char *host = text->bytes + p->u->host.offset; *host;) {
    size_t length = *host & 0x80 ? utf8_length(host) : 1;
    if (length == 0) return refuse(p, "the URL's host is not valid UTF-8");
    ascii = ascii && length == 1;
    host += length;
  }
  return ascii || put_international_name(p);
}

/* Names of interfaces are shorter, and libcurl has no room for more. */
enum { MAX_ZONE = 15 };

/* "[::1]", "[fe80::1%25eth0]": `at` is behind the bracket, `end` at the closing one. */
static bool put_ipv6(parser *p, const char *at, const char *end)
{
  char literal[INET6_ADDRSTRLEN], usual[INET6_ADDRSTRLEN];
  unsigned char address[16];
  const char *zone = memchr(at, '%', (size_t)(end - at));
  size_t length = (size_t)((zone ? zone : end) - at);
  if (length >= sizeof literal || memchr(at, 0, length)) return fail(p, at, "an invalid IPv6 address");
  memcpy(literal, at, length);
  literal[length] = 0;
  if (inet_pton(AF_INET6, literal, address) != 1) return fail(p, at, "an invalid IPv6 address");
  inet_ntop(AF_INET6, address, usual, sizeof usual);
  if (!reserve(p, INET6_ADDRSTRLEN + 8 + (size_t)(p->end - at))) return false;
  p->u->ipv6 = true;
  put_character(p, '[');
  p->u->host = begin_part(p);
  put(p, usual, strlen(usual));
  if (zone) {
    zone += end - zone >= 3 && zone[1] == '2' && zone[2] == '5' ? 3 : 1;
    if (zone == end) return fail(p, zone, "an empty zone in an IPv6 address");
    if (end - zone > MAX_ZONE) return fail(p, zone, "a zone of more than 15 bytes in an IPv6 address");
    put(p, "%25", 3);
    for (; zone < end; zone++) {
      if (!url_is(*zone, URL_UNRESERVED)) return fail_character(p, zone, "a bad zone in an IPv6 address");
      put_character(p, *zone);
    }
  }
  end_part(p, &p->u->host);
  put_character(p, ']');
  return true;
}

/* `at` is behind the colon. */
static bool parse_port(parser *p, const char *at, const char *end)
{
  unsigned port = 0;
  p->u->port = p->usual_port;
  if (at == end) return true; /* "http://host:/" */
  for (const char *c = at; c < end; c++) {
    if (!url_is(*c, URL_DIGIT)) return fail_character(p, c, "a port that is not a number");
    port = port * 10 + (unsigned)(*c - '0');
    if (port > UINT16_MAX) return fail(p, at, "a port above 65535");
  }
  if (p->usual_port && port == p->usual_port) return true;
  p->u->port = (uint16_t)port;
  p->u->port_given = true;
  put_character(p, ':');
  put_number(p, port);
  return true;
}

static bool parse_userinfo(parser *p, const char *end)
{
  const char *colon = memchr(p->at, ':', (size_t)(end - p->at));
  p->u->user = begin_part(p);
  if (!put_encoded(p, colon ? colon : end, URL_USER)) return false;
  end_part(p, &p->u->user);
  if (colon) {
    put_character(p, ':');
    p->at++;
    p->u->password = begin_part(p);
    if (!put_encoded(p, end, URL_USER)) return false;
    end_part(p, &p->u->password);
  }
  put_character(p, '@');
  p->at++;
  return true;
}

/* What is left of an authority that is more than lower-case letters and a port. */
static bool parse_rare_authority(parser *p, const char *end)
{
  const char *mark = memchr(p->at, '@', (size_t)(end - p->at));
  if (mark) {
    const char *second = memchr(mark + 1, '@', (size_t)(end - mark - 1));
    if (second) return fail(p, second, "a second \"@\" before the path (in a name or password write %40)");
    if (!parse_userinfo(p, mark)) return false;
  }
  const char *host = p->at, *host_end;
  if (host < end && *host == '[') {
    const char *bracket = memchr(host, ']', (size_t)(end - host));
    if (!bracket) return fail(p, host, "a \"[\" without \"]\"");
    if (!put_ipv6(p, host + 1, bracket)) return false;
    host_end = bracket + 1;
    if (host_end < end && *host_end != ':')
      return fail_character(p, host_end, "something behind the IPv6 address");
  } else {
    host_end = memchr(host, ':', (size_t)(end - host));
    if (!host_end) host_end = end;
    p->u->host = begin_part(p);
    if (!put_name(p, host, host_end)) return false;
    end_part(p, &p->u->host);
    if (!check_host(p, host)) return false;
  }
  if (host_end < end) return parse_port(p, host_end + 1, end);
  p->u->port = p->usual_port;
  return true;
}

/* `at` is behind the "//". */
static bool parse_authority(parser *p)
{
  const char *host = p->at, *c = host;
  put(p, "//", 2);
  while (c < p->end && url_is(*c, URL_HOST)) c++;
  const char *host_end = c, *end = c;
  while (end < p->end && *end != '/' && *end != '?' && *end != '#') end++;
  if (host_end == end || (*host_end == ':' && !memchr(host_end, '@', (size_t)(end - host_end)))) {
    p->u->host = begin_part(p);
    put(p, host, (size_t)(host_end - host));
    end_part(p, &p->u->host);
    p->at = end;
    if (!check_host(p, host)) return false;
    if (host_end == end)
      p->u->port = p->usual_port;
    else if (!parse_port(p, host_end + 1, end))
      return false;
  } else if (!parse_rare_authority(p, end)) {
    return false;
  }
  if (p->u->host.length == 0 && (p->usual_port || p->u->port_given || url_has(p->u->user)))
    return fail(p, host, "no host");
  p->at = end;
  return true;
}

/* ---- path ---- */

static bool has_dot_segment(const char *path, size_t length)
{
  const char *end = path + length;
  while ((path = memchr(path, '/', (size_t)(end - path))) && ++path < end) {
    if (*path != '.') continue;
    const char *next = path + 1;
    if (next < end && *next == '.') next++;
    if (next == end || *next == '/') return true;
  }
  return false;
}

/* RFC 3986 section 5.2.4, in place, for a path that begins with "/". Returns the new length. */
static size_t remove_dot_segments(char *path, size_t length)
{
  char *out = path, *at = path, *end = path + length;
  while (at < end) {
    char *segment = at + 1, *next = memchr(segment, '/', (size_t)(end - segment));
    if (!next) next = end;
    size_t size = (size_t)(next - segment);
    bool one = size == 1 && segment[0] == '.', two = size == 2 && segment[0] == '.' && segment[1] == '.';
    if (two) {
      while (out > path && *--out != '/') continue;
    } else if (!one) {
      memmove(out, at, size + 1);
      out += size + 1;
    }
    if ((one || two) && next == end) *out++ = '/';
    at = next;
  }
  return (size_t)(out - path);
}

static bool parse_path(parser *p)
{
  url *u = p->u;
  if (!put_part(p, URL_PATH, '?', '#', &u->path)) return false;
  if (u->path.length == 0 && u->host.length) {
    put_character(p, '/');
    u->path.length = 1;
    return true;
  }
  char *path = u->text.bytes + u->path.offset;
  if (u->path.length == 0 || *path != '/' || !has_dot_segment(path, u->path.length)) return true;
  u->path.length = (uint32_t)remove_dot_segments(path, u->path.length);
  u->text.length = u->path.offset + u->path.length;
  if (url_has(u->host) || u->path.length < 2 || path[1] != '/') return true;
  /* "foo:/.//x" must not become "foo://x", which has a host: the dot stays */
  if (!reserve(p, 2 + (size_t)(p->end - p->at))) return false;
  path = u->text.bytes + u->path.offset;
  memmove(path + 2, path, u->path.length);
  memcpy(path, "/.", 2);
  u->path.length += 2;
  u->text.length += 2;
  return true;
}

/* ---- the whole ---- */

static void clear(url *u)
{
  buffer text = u->text;
  text.length = 0;
  *u = (url){.text = text};
}

/* Most URLs of a client differ from the one before in path and query only: keeps all before the path of the
 * one that is in `u`, if it stands in the new text, letter by letter, too. */
static bool keep_authority(parser *p)
{
  url *u = p->u;
  size_t length = u->path.offset;
  if (!u->text.length || !u->host.length || (size_t)(p->end - p->text) <= length || p->text[length] != '/' ||
      memcmp(u->text.bytes, p->text, length) != 0)
    return false;
  u->text.length = length;
  u->path = u->query = u->fragment = (url_part){0};
  p->at += length;
  return true;
}

static bool parse_to_path(parser *p)
{
  url *u = p->u;
  if (keep_authority(p)) return true;
  clear(u);
  if (!parse_scheme(p)) return false;
  if (p->end - p->at >= 2 && p->at[0] == '/' && p->at[1] == '/') {
    p->at += 2;
    return parse_authority(p);
  }
  if (!p->usual_port) return true;
  error_set(p->e, ERROR_url, NULL, "the URL has no host: write %.*s://…", (int)u->scheme.length,
            u->text.bytes);
  return false;
}

static bool parse(parser *p)
{
  url *u = p->u;
  if ((size_t)(p->end - p->text) > URL_LENGTH_LIMIT) return refuse(p, "the URL is longer than 1 MiB");
  /* "/" for an empty path, the wider form of an address */
  if (!reserve(p, (size_t)(p->end - p->text) + 24)) return false;
  if (!parse_to_path(p) || !parse_path(p)) return false;
  if (p->at < p->end && *p->at == '?') {
    p->at++;
    put_character(p, '?');
    if (!put_part(p, URL_QUERY, '#', '#', &u->query)) return false;
  }
  if (p->at < p->end) {
    p->at++;
    put_character(p, '#');
    u->fragment = begin_part(p);
    if (!put_encoded(p, p->end, URL_QUERY)) return false;
    end_part(p, &u->fragment);
  }
  u->text.bytes[u->text.length] = 0;
  return true;
}

bool url_parse(url *u, const char *text, size_t length, error *e)
{
  parser p = {.u = u, .text = text, .at = text, .end = text + length, .e = e};
  if (parse(&p)) return true;
  clear(u);
  return false;
}

bool url_require_http(const url *u, error *e)
{
  if (scheme_is(u, "http") || scheme_is(u, "https")) return true;
  const char *path = url_bytes(u, u->path);
  if (!url_has(u->host) && u->path.length && url_is(*path, URL_DIGIT)) /* "localhost:8080/items" */
    error_set(e, ERROR_url, NULL, "no scheme: write http://%.*s:…", (int)u->scheme.length, u->text.bytes);
  else
    error_set(e, ERROR_url, NULL, "the scheme \"%.*s\" cannot be requested, only http and https",
              (int)u->scheme.length, u->text.bytes);
  return false;
}

void url_free(url *u)
{
  buffer_free(&u->text);
  *u = (url){0};
}
