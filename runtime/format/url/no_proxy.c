#include "format/url/no_proxy.h"

#include "format/url/url_idn.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_ADDRESS = 64, MAX_NAME = 1024 };

typedef struct {
  const char *bytes;
  size_t length;
} slice;

typedef struct {
  unsigned char bytes[16];
  unsigned bits; /* 32 or 128; 0: it is no address */
} address;

/* What an entry says. */
typedef struct {
  bool everything;
  bool below_only; /* not the name itself */
  slice name;      /* empty: it is an address */
  address address;
  unsigned prefix; /* bits of the address that count */
  unsigned port;   /* 0: any */
} entry;

/* ---- addresses ---- */

/* An IPv4 address that is written as an IPv6 one is the same. */
static void unmap(address *a)
{
  static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
  if (a->bits != 128 || memcmp(a->bytes, mapped, sizeof mapped)) return;
  memmove(a->bytes, a->bytes + sizeof mapped, 4);
  a->bits = 32;
}

/* As it is written, without brackets; a zone counts for nothing. */
static address read_address(slice text)
{
  address a = {.bits = 0};
  char copy[MAX_ADDRESS];
  const char *zone = memchr(text.bytes, '%', text.length);
  size_t length = zone ? (size_t)(zone - text.bytes) : text.length;
  if (!length || length >= sizeof copy) return a;
  memcpy(copy, text.bytes, length);
  copy[length] = 0;
  if (inet_pton(AF_INET, copy, a.bytes) == 1)
    a.bits = 32;
  else if (inet_pton(AF_INET6, copy, a.bytes) == 1)
    a.bits = 128;
  return a;
}

static bool shares_prefix(const address *a, const address *b, unsigned prefix)
{
  size_t whole = prefix / 8;
  unsigned rest = prefix % 8;
  if (a->bits != b->bits || memcmp(a->bytes, b->bytes, whole)) return false;
  return !rest || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

/* ---- entries ---- */

/* A number of at most five digits. False: it is none, or above `most`. */
static bool read_number(slice text, unsigned most, unsigned *number)
{
  unsigned value = 0;
  if (!text.length || text.length > 5) return false;
  for (size_t i = 0; i < text.length; i++) {
    if (text.bytes[i] < '0' || text.bytes[i] > '9') return false;
    value = value * 10 + (unsigned)(text.bytes[i] - '0');
  }
  *number = value;
  return value <= most;
}

static slice behind(slice text, const char *at)
{
  return (slice){at + 1, (size_t)(text.bytes + text.length - at - 1)};
}

static slice before(slice text, const char *at) { return (slice){text.bytes, (size_t)(at - text.bytes)}; }

/* Takes the brackets off an address. False: what stands behind them is no part of it. */
static bool open_brackets(slice *host, slice *rest)
{
  *rest = (slice){host->bytes + host->length, 0};
  if (!host->length || *host->bytes != '[') return true;
  const char *end = memchr(host->bytes, ']', host->length);
  if (!end) return false;
  *rest = behind(*host, end);
  *host = (slice){host->bytes + 1, (size_t)(end - host->bytes - 1)};
  return memchr(host->bytes, ':', host->length);
}

static bool read_port(slice text, entry *e)
{
  if (!text.length) return true;
  return *text.bytes == ':' && read_number(behind(text, text.bytes), 65535, &e->port) && e->port;
}

/* "10.0.0.0/8", "[fc00::]/7" */
static bool read_network(slice text, const char *slash, entry *e)
{
  slice host = before(text, slash), rest;
  if (!open_brackets(&host, &rest) || rest.length) return false;
  e->address = read_address(host);
  if (!e->address.bits || !read_number(behind(text, slash), e->address.bits, &e->prefix)) return false;
  unsigned written = e->address.bits;
  if (written == 128 && e->prefix >= 96) unmap(&e->address);
  e->prefix -= written - e->address.bits;
  return true;
}

static bool read_name(slice host, entry *e)
{
  if (host.length > 1 && host.bytes[0] == '*' && host.bytes[1] == '.') {
    e->below_only = true;
    host = behind(host, host.bytes);
  }
  if (host.length && *host.bytes == '.') host = behind(host, host.bytes);
  if (host.length && host.bytes[host.length - 1] == '.') host.length--;
  e->name = host;
  for (size_t i = 0; i < host.length; i++)
    if (strchr("*/?#@[]\\", host.bytes[i])) return false;
  return host.length && host.length < MAX_NAME;
}

static bool read_host(slice text, entry *e)
{
  slice host = text, rest;
  if (!open_brackets(&host, &rest)) return false;
  bool bracketed = host.bytes != text.bytes;
  e->address = read_address(host);
  const char *colon = bracketed || e->address.bits ? NULL : memrchr(host.bytes, ':', host.length);
  if (colon) {
    rest = (slice){colon, (size_t)(host.bytes + host.length - colon)};
    host = before(host, colon);
    e->address = read_address(host);
    if (memchr(host.bytes, ':', host.length)) return false;
  }
  unmap(&e->address);
  e->prefix = e->address.bits;
  if (!read_port(rest, e)) return false;
  return e->address.bits || (!bracketed && read_name(host, e));
}

static bool read_entry(slice text, entry *e)
{
  *e = (entry){0};
  if (text.length == 1 && *text.bytes == '*') return e->everything = true;
  const char *slash = memchr(text.bytes, '/', text.length);
  return slash ? read_network(text, slash, e) : read_host(text, e);
}

/* Takes the next entry off the list. False: there is none. */
static bool next_entry(slice *list, slice *text)
{
  static const char separators[] = ", \t\r\n";
  size_t from = 0, to;
  while (from < list->length && memchr(separators, list->bytes[from], sizeof separators - 1)) from++;
  for (to = from; to < list->length && !memchr(separators, list->bytes[to], sizeof separators - 1);) to++;
  *text = (slice){list->bytes + from, to - from};
  *list = (slice){list->bytes + to, list->length - to};
  return text->length;
}

/* ---- names ---- */

static bool name_is_below(slice name, slice host, bool below_only)
{
  if (name.length > host.length) return false;
  const char *tail = host.bytes + host.length - name.length;
  if (strncasecmp(tail, name.bytes, name.length)) return false;
  return name.length == host.length ? !below_only : tail[-1] == '.';
}

/* An international name, as DNS knows it. */
static bool international_name_is_below(slice name, slice host, bool below_only)
{
  char copy[MAX_NAME];
  const char *reason;
  memcpy(copy, name.bytes, name.length);
  copy[name.length] = 0;
  char *ascii = url_idn_to_ascii(copy, &reason);
  bool is_below = ascii && name_is_below((slice){ascii, strlen(ascii)}, host, below_only);
  free(ascii);
  return is_below;
}

static bool is_ascii(slice text)
{
  for (size_t i = 0; i < text.length; i++)
    if ((unsigned char)text.bytes[i] >= 0x80) return false;
  return true;
}

static bool names(const entry *e, slice host, const address *its_address, uint16_t port)
{
  if (e->everything) return true;
  if (e->port && e->port != port) return false;
  if (e->address.bits || its_address->bits)
    return e->address.bits && shares_prefix(&e->address, its_address, e->prefix);
  return is_ascii(e->name) ? name_is_below(e->name, host, e->below_only)
                           : international_name_is_below(e->name, host, e->below_only);
}

bool no_proxy_names(const char *list, size_t length, const url *u)
{
  slice rest = {list, length}, text, host = {url_bytes(u, u->host), u->host.length};
  address its_address = read_address(host);
  entry e;
  unmap(&its_address);
  if (host.length > 1 && host.bytes[host.length - 1] == '.') host.length--;
  while (next_entry(&rest, &text))
    if (read_entry(text, &e) && names(&e, host, &its_address, u->port)) return true;
  return false;
}

bool no_proxy_is_valid(const char *list, size_t length, const char **bad, size_t *bad_length)
{
  slice rest = {list, length}, text;
  entry e;
  while (next_entry(&rest, &text))
    if (!read_entry(text, &e)) {
      *bad = text.bytes;
      *bad_length = text.length;
      return false;
    }
  return true;
}
