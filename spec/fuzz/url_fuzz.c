/* Parses anything; checks that the canonical form is a fixed point, that parts lie in order, and joins. */
#include "format/url/url_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
  if (!holds) abort();
}

static void check_parts(const url *u)
{
  const url_part parts[] = {u->scheme, u->user, u->password, u->host, u->path, u->query, u->fragment};
  size_t end = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (i > 0 && !url_has(parts[i])) continue;
    require(parts[i].offset >= end);
    end = parts[i].offset + parts[i].length;
    require(end <= u->text.length);
  }
  for (size_t i = 0; i < u->text.length; i++) require((unsigned char)u->text.bytes[i] > 0x20);
  require(u->text.bytes[u->text.length] == 0);
}

static void check_same(const url *a, const url *b)
{
  require(a->text.length == b->text.length && memcmp(a->text.bytes, b->text.bytes, a->text.length) == 0);
  require(a->port == b->port && a->port_given == b->port_given && a->ipv6 == b->ipv6);
  require(memcmp(&a->host, &b->host, sizeof a->host) == 0 && memcmp(&a->path, &b->path, sizeof a->path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *text = (const char *)data;
  static const char base_text[] = "http://u:p@a:81/b/c/d;p?q#f";
  url u = {0}, again = {0}, base = {0};
  buffer out = {0};
  error e;
  if (url_parse(&u, text, size, &e)) {
    check_parts(&u);
    require(url_parse(&again, u.text.bytes, u.text.length, &e));
    check_same(&u, &again);
    require(url_write_bare(&u, &out) && url_write_origin(&u, &out));
    require(url_join(&again, &u, "", 0, &e));
    out.length = 0;
    require(url_write_bare(&u, &out));
    if (url_parse(&again, out.bytes, out.length, &e))
      require(!url_has(again.user) && !url_has(again.fragment));
  }
  require(url_parse(&base, base_text, strlen(base_text), &e));
  if (url_join(&u, &base, text, size, &e)) check_parts(&u);
  out.length = 0;
  require(url_redact(&out, text, size));
  require(url_encode(&out, text, size));
  out.length = 0;
  require(url_decode(&out, text, size, true) && out.length <= size);
  buffer_free(&out);
  url_free(&u);
  url_free(&again);
  url_free(&base);
  return 0;
}
