#include "format/url/url_text.h"

#include "format/url/url_characters.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool append_text(buffer *out, const char *text) { return buffer_append(out, text, strlen(text)); }

/* Puts the NUL behind the text. */
static bool terminate(buffer *out)
{
  if (!buffer_reserve(out, 1)) return false;
  out->bytes[out->length] = 0;
  return true;
}

/* ---- writing ---- */

bool url_write_bare(const url *u, buffer *out)
{
  const char *text = u->text.bytes, *from = text;
  const char *end = text + (url_has(u->fragment) ? u->fragment.offset - 1 : u->text.length);
  if (url_has(u->user)) {
    if (!buffer_append(out, text, u->user.offset)) return false;
    from = text + u->host.offset - (u->ipv6 ? 1 : 0);
  }
  return buffer_append(out, from, (size_t)(end - from)) && terminate(out);
}

bool url_write_origin(const url *u, buffer *out)
{
  char port[8];
  bool well =
      buffer_append(out, u->text.bytes, u->scheme.length) && append_text(out, u->ipv6 ? "://[" : "://") &&
      buffer_append(out, url_bytes(u, u->host), u->host.length) && append_text(out, u->ipv6 ? "]" : "");
  if (well && (u->port || u->port_given)) {
    snprintf(port, sizeof port, ":%u", u->port);
    well = append_text(out, port);
  }
  return well && terminate(out);
}

/* ---- joining ---- */

/* A reference as RFC 3986 section 4.1 splits it, nothing checked yet. */
typedef struct {
  const char *scheme_end;                    /* behind the ":", or NULL */
  const char *authority;                     /* the "//", or NULL */
  const char *path, *query, *fragment, *end; /* each where it begins, with its mark */
} reference;

static bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

static const char *find_scheme_end(const char *at, const char *end)
{
  if (at == end || !is_letter(*at)) return NULL;
  while (at < end && url_is(*at, URL_SCHEME)) at++;
  return at < end && *at == ':' ? at + 1 : NULL;
}

/* The first of `marks`, or the end. */
static const char *find(const char *at, const char *end, const char *marks)
{
  while (at < end && (!*at || !strchr(marks, *at))) at++;
  return at;
}

static reference split(const char *text, size_t length)
{
  reference r = {.end = text + length};
  r.scheme_end = find_scheme_end(text, r.end);
  const char *at = r.scheme_end ? r.scheme_end : text;
  if (r.end - at >= 2 && at[0] == '/' && at[1] == '/') {
    r.authority = at;
    at = find(at + 2, r.end, "/?#");
  }
  r.path = at;
  r.query = find(at, r.end, "?#");
  r.fragment = find(r.query, r.end, "#");
  return r;
}

static bool same_scheme(const url *base, const char *scheme, size_t length)
{
  if (base->scheme.length != length) return false;
  for (size_t i = 0; i < length; i++) {
    if (url_lower(scheme[i]) != base->text.bytes[i]) return false;
  }
  return true;
}

/* The text of the joined URL, before it is parsed (which removes the dot segments). */
static bool write_joined(buffer *out, const url *base, const reference *r)
{
  const char *base_text = base->text.bytes, *base_path = url_bytes(base, base->path);
  const char *from = r->path; /* from here on the reference is taken as it is */
  size_t keep = base->path.offset;
  if (r->authority) {
    keep = (size_t)base->scheme.length + 1;
    from = r->authority;
  } else if (r->path == r->query) { /* empty path */
    keep += base->path.length;
    if (r->query == r->fragment && url_has(base->query)) keep += 1 + base->query.length;
  } else if (*r->path != '/') {
    const char *slash = memrchr(base_path, '/', base->path.length);
    keep += slash ? (size_t)(slash + 1 - base_path) : 0;
  }
  return buffer_append(out, base_text, keep) && buffer_append(out, from, (size_t)(r->end - from));
}

bool url_join(url *result, const url *base, const char *text, size_t length, error *e)
{
  reference r = split(text, length);
  if (r.scheme_end) {
    bool relative =
        !r.authority && url_has(base->host) && same_scheme(base, text, (size_t)(r.scheme_end - text) - 1);
    if (!relative) return url_parse(result, text, length, e);
  }
  if (length > URL_LENGTH_LIMIT) {
    error_set(e, ERROR_url, NULL, "the URL is longer than 1 MiB");
    return false;
  }
  bool opaque = !url_has(base->host) && (base->path.length == 0 || *url_bytes(base, base->path) != '/');
  if (opaque && !r.authority && r.path != r.query) {
    error_set(e, ERROR_url, NULL, "nothing can be relative to a \"%.*s:\" URL without a path",
              (int)base->scheme.length, base->text.bytes);
    return false;
  }
  buffer joined = {0};
  bool well = write_joined(&joined, base, &r);
  if (!well)
    error_set(e, ERROR_limit, NULL, "out of memory");
  else
    well = url_parse(result, joined.bytes, joined.length, e);
  buffer_free(&joined);
  return well;
}

/* ---- percent-encoding ---- */

bool url_encode(buffer *out, const char *text, size_t length)
{
  static const char digits[] = "0123456789ABCDEF";
  if (length > (size_t)-1 / 4 || !buffer_reserve(out, 3 * length + 1)) return false;
  char *to = out->bytes + out->length;
  for (const char *end = text + length; text < end; text++) {
    unsigned char c = (unsigned char)*text;
    if (url_is(*text, URL_UNRESERVED)) {
      *to++ = *text;
    } else {
      *to++ = '%';
      *to++ = digits[c >> 4];
      *to++ = digits[c & 15];
    }
  }
  *to = 0;
  out->length = (size_t)(to - out->bytes);
  return true;
}

/* The character at `*at`, decoded; moves behind it. */
static char take_decoded(const char **at, const char *end, bool plus)
{
  const char *c = *at;
  if (url_is_escape(c, end)) {
    *at += 3;
    return (char)(url_hex(c[1]) << 4 | url_hex(c[2]));
  }
  *at += 1;
  return plus && *c == '+' ? ' ' : *c;
}

bool url_decode(buffer *out, const char *text, size_t length, bool plus)
{
  if (length > (size_t)-1 / 2 || !buffer_reserve(out, length + 1)) return false;
  char *to = out->bytes + out->length;
  for (const char *end = text + length; text < end;) *to++ = take_decoded(&text, end, plus);
  *to = 0;
  out->length = (size_t)(to - out->bytes);
  return true;
}

/* ---- redaction ---- */

/* Parameter names whose values are kept out of messages. */
typedef enum { ANYWHERE, WORD, WHOLE } secret_place;
static const struct {
  const char *name;
  secret_place
      place; /* ANYWHERE in the name; as a WORD of it ("auth_key", not "author"); or as the WHOLE name */
} secrets[] = {
    {"token", ANYWHERE},
    {"secret", ANYWHERE},
    {"password", ANYWHERE},
    {"passwd", ANYWHERE},
    {"apikey", ANYWHERE},
    {"accesskey", ANYWHERE},
    {"signature", ANYWHERE},
    {"session", ANYWHERE},
    {"credential", ANYWHERE},
    {"authorization", ANYWHERE},
    {"oauth", ANYWHERE},
    {"passphrase", ANYWHERE},
    {"privatekey", ANYWHERE},
    {"subscriptionkey", ANYWHERE},
    {"appkey", ANYWHERE},
    {"appid", ANYWHERE},
    {"sessid", ANYWHERE},
    {"devicecode", ANYWHERE},
    {"codeverifier", ANYWHERE},
    {"saml", ANYWHERE},
    {"auth", WORD},
    {"pass", WORD},
    {"pwd", WORD},
    {"sid", WORD},
    {"jwt", WORD},
    {"bearer", WORD},
    {"otp", WORD},
    {"pin", WORD},
    {"hmac", WORD},
    {"assertion", WORD},
    {"code", WHOLE},
    {"sig", WHOLE},
    {"key", WHOLE},
};

enum { NAME_LIMIT = 128 };

static bool has_word(const char *name, const char *word)
{
  size_t length = strlen(word);
  for (const char *at = name; (at = strstr(at, word)); at++) {
    bool begins = at == name || !is_letter(at[-1]), ends = !is_letter(at[length]);
    if (begins && ends) return true;
  }
  return false;
}

/* `name` is percent-encoded. "api_key", "api-key" and "Api.Key" are all "apikey". */
static bool is_secret(const char *name, const char *end)
{
  char words[NAME_LIMIT + 1], joined[NAME_LIMIT + 1];
  size_t length = 0, joined_length = 0;
  while (name < end && length < NAME_LIMIT) {
    char c = take_decoded(&name, end, true);
    c = c ? url_lower(c) : ' ';
    words[length++] = c;
    if (c != '_' && c != '-' && c != '.' && c != ' ') joined[joined_length++] = c;
  }
  words[length] = joined[joined_length] = 0;
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
    const char *secret = secrets[i].name;
    switch (secrets[i].place) {
    case ANYWHERE:
      if (strstr(joined, secret)) return true;
      break;
    case WORD:
      if (has_word(words, secret)) return true;
      break;
    case WHOLE:
      if (strcmp(words, secret) == 0) return true;
      break;
    }
  }
  return false;
}

/* Parameters from `at` to `end`, "a=b&c=d". */
static bool redact_parameters(buffer *out, const char *at, const char *end)
{
  while (at < end) {
    const char *next = find(at, end, "&;"), *value = memchr(at, '=', (size_t)(next - at));
    bool well;
    if (value && value + 1 < next && is_secret(at, value))
      well = buffer_append(out, at, (size_t)(value + 1 - at)) && append_text(out, "***");
    else
      well = buffer_append(out, at, (size_t)(next - at));
    if (!well || (next < end && !buffer_append(out, next, 1))) return false;
    at = next < end ? next + 1 : end;
  }
  return true;
}

/* Whether an authority ends in ":" and something that is no port, as one does whose password holds a "/", "?"
 * or
 * "#". */
static bool has_bad_port(const char *authority, const char *end)
{
  const char *colon = memrchr(authority, ':', (size_t)(end - authority));
  for (const char *c = colon ? colon + 1 : end; c < end; c++) {
    if (*c != ']' && !url_is(*c, URL_DIGIT)) return !memchr(colon, ']', (size_t)(end - colon));
  }
  return false;
}

/* Where userinfo begins; its "@" is `*mark`. NULL: there is none. The text may be no URL at all: then what
 * stands before an "@", with a colon in it, is taken for userinfo. */
static const char *find_userinfo(const reference *r, const char *text, const char **mark)
{
  if (r->authority) {
    const char *from = r->authority + 2;
    *mark = memrchr(from, '@', (size_t)(r->path - from));
    if (!*mark && has_bad_port(from, r->path)) *mark = memrchr(r->path, '@', (size_t)(r->end - r->path));
    return *mark ? from : NULL;
  }
  *mark = memrchr(text, '@', (size_t)(r->query - text));
  if (!*mark || !memchr(text, ':', (size_t)(*mark - text))) return NULL;
  const char *from = *mark;
  while (from > text && from[-1] != '/' && from[-1] != '\\') from--;
  return from == text && r->scheme_end && strncasecmp(text, "http", 4) == 0 ? r->scheme_end : from;
}

bool url_redact(buffer *out, const char *text, size_t length)
{
  reference r = split(text, length);
  const char *from = text, *mark, *userinfo = find_userinfo(&r, text, &mark);
  if (userinfo) {
    if (!buffer_append(out, text, (size_t)(userinfo - text)) || !append_text(out, "***")) return false;
    from = mark;
    if (mark > r.query) r.query = find(mark, r.end, "?#");
    if (mark > r.fragment || r.fragment < r.query) r.fragment = find(r.query, r.end, "#");
  }
  if (!buffer_append(out, from, (size_t)(r.query - from))) return false;
  if (r.query < r.fragment &&
      !(buffer_append(out, "?", 1) && redact_parameters(out, r.query + 1, r.fragment)))
    return false;
  if (r.fragment < r.end && !(buffer_append(out, "#", 1) && redact_parameters(out, r.fragment + 1, r.end)))
    return false;
  return terminate(out);
}
