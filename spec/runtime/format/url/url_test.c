#include "format/url/url_text.h"

#include "support/unit.h"

#include <stdlib.h>

static url shared; /* one struct for many parses, as its users have it */

static bool parses(const char *text)
{
  error e = {0};
  bool well = url_parse(&shared, text, strlen(text), &e);
  if (!well) fprintf(stderr, "  %s: %s\n", text, e.message);
  return well;
}

/* Parses, is written as `wanted`, and that parses to itself. */
#define check_canonical(given, wanted)                                                                       \
  do {                                                                                                       \
    if (check(parses(given))) check_bytes(shared.text.bytes, shared.text.length, wanted);                    \
    if (check(parses(wanted))) check_bytes(shared.text.bytes, shared.text.length, wanted);                   \
    check(shared.text.bytes[shared.text.length] == 0);                                                       \
  } while (0)

#define check_part(part, wanted)                                                                             \
  do {                                                                                                       \
    check(url_has(shared.part));                                                                             \
    check_bytes(url_bytes(&shared, shared.part), shared.part.length, wanted);                                \
  } while (0)

#define check_refused(given, wanted) check_refused_bytes(given, strlen(given), wanted)

#define check_refused_bytes(given, size, wanted)                                                             \
  do {                                                                                                       \
    error refusal = {0};                                                                                     \
    check(!url_parse(&shared, given, size, &refusal));                                                       \
    check(refusal.kind == ERROR_url);                                                                        \
    check_string(refusal.message, wanted);                                                                   \
    check(shared.text.length == 0);                                                                          \
  } while (0)

static void parses_after_another_of_the_same_origin(void)
{
  check(parses("http://joe@h:81/a?q#f"));
  check(parses("http://joe@h:81/b/../c"));
  check_part(user, "joe");
  check_part(path, "/c");
  check(!url_has(shared.query) && !url_has(shared.fragment) && shared.port == 81);
  check(parses("http://h/a"));
  check(parses("http://h:82/a"));
  check(shared.port == 82);
  check(parses("http://h"));
  check_part(path, "/");
  check(parses("http://ha/a"));
  check_part(host, "ha");
  check_refused("http://ha/\n", "the URL has a line feed at byte 11");
  check(parses("http://ha/b"));
  check_part(path, "/b");
  check(parses("x:/a"));
  check(parses("x:/b"));
  check_part(path, "/b");
}

static void splits_into_parts(void)
{
  check(parses("https://joe:pa%20ss@Example.com:8443/a/b?x=1&y=2#top"));
  check_bytes(url_bytes(&shared, shared.scheme), shared.scheme.length, "https");
  check_part(user, "joe");
  check_part(password, "pa%20ss");
  check_part(host, "example.com");
  check_part(path, "/a/b");
  check_part(query, "x=1&y=2");
  check_part(fragment, "top");
  check(shared.port == 8443 && shared.port_given && !shared.ipv6);

  check(parses("http://h"));
  check_part(path, "/");
  check(!url_has(shared.user) && !url_has(shared.password) && !url_has(shared.query) &&
        !url_has(shared.fragment));
  check(shared.port == 80 && !shared.port_given);

  check(parses("https://h/?#"));
  check(url_has(shared.query) && shared.query.length == 0);
  check(url_has(shared.fragment) && shared.fragment.length == 0);

  check(parses("https://joe@h/"));
  check(url_has(shared.user) && !url_has(shared.password));
  check(parses("https://:pw@h/"));
  check(url_has(shared.user) && shared.user.length == 0 && url_has(shared.password));

  check(parses("wss://h/"));
  check(shared.port == 443);
  check(parses("redis://h/"));
  check(shared.port == 0 && !shared.port_given);
}

static void writes_the_canonical_form(void)
{
  check_canonical("HTTPS://EXAMPLE.COM", "https://example.com/");
  check_canonical("https://example.com?a", "https://example.com/?a");
  check_canonical("https://example.com#a", "https://example.com/#a");
  check_canonical("https://example.com:443/", "https://example.com/");
  check_canonical("http://example.com:443/", "http://example.com:443/");
  check_canonical("http://example.com:/", "http://example.com/");
  check_canonical("http://example.com:00080/", "http://example.com/");
  check_canonical("http://example.com:0/", "http://example.com:0/");
  check_canonical("http://example.com:65535/", "http://example.com:65535/");
  check_canonical("http://example.com./", "http://example.com./");
  check_canonical("http://my_host-1/", "http://my_host-1/");
  check_canonical("http://ex%61mple%2Ecom/", "http://example.com/");
  check_canonical("http://h/a b", "http://h/a%20b");
  check_canonical("http://h/a%20b%2f%2F", "http://h/a%20b%2f%2F");
  check_canonical("http://h/100%/%4/%zz", "http://h/100%25/%254/%25zz");
  check_canonical("http://h/caf\xc3\xa9?q=\xc3\xa9#\xc3\xa9", "http://h/caf%C3%A9?q=%C3%A9#%C3%A9");
  check_canonical("http://h/\xff", "http://h/%FF");
  check_canonical("http://h/\"<>^`{|}", "http://h/%22%3C%3E%5E%60%7B%7C%7D");
  check_canonical("http://h/[1]?a[b]=c", "http://h/[1]?a[b]=c");
  check_canonical("http://h/?a\\b?/:@", "http://h/?a%5Cb?/:@");
  check_canonical("http://h/#a#b", "http://h/#a%23b");
  check_canonical("http://h/;a=1,2!$&'()*+~", "http://h/;a=1,2!$&'()*+~");
  check_canonical("http://j\xc3\xa9:a:b c@h/", "http://j%C3%A9:a%3Ab%20c@h/");
  check_canonical("http://B\xc3\xbc"
                  "cher.example/",
                  "http://xn--bcher-kva.example/");
  check_canonical("http://b%C3%BCcher.example:8080/", "http://xn--bcher-kva.example:8080/");
  check_canonical("http://www.\xce\xa9.gr/", "http://www.xn--bya.gr/");
  check_canonical("http://\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x80\x82jp", "http://xn--wgv71a119e.jp/");
  check_canonical("http://\xe2\x98\x83.net/", "http://xn--n3h.net/");
  /* A sample of RFC 3492, section 7.1 */
  check_canonical("http://\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4\xb8\x8d"
                  "\xe8\xaf\xb4\xe4\xb8\xad\xe6\x96\x87/",
                  "http://xn--ihqwcrb4cv8a8dqg056pqjye/");
  check_canonical("http://bu\xcc\x88"
                  "cher.example/",
                  "http://xn--bcher-kva.example/");
  check_canonical("http://\xc4\xb0x.example/", "http://xn--ix-rub.example/");
  check_canonical("http://\xef\xbc\xa7\xef\xbd\x8f.example/", "http://go.example/");
  check_canonical("http://www\xef\xbc\x8ego.example/", "http://www.go.example/");
  check_canonical("http://\xe2\x85\xa8.example/", "http://ix.example/");
  check_canonical("http://a\xc2\xad"
                  "b.example/",
                  "http://ab.example/");
  check_canonical("http://a\xe2\x80\x8b"
                  "b.example/",
                  "http://ab.example/");
  check_canonical("http://stra\xc3\x9f"
                  "e.de/",
                  "http://xn--strae-oqa.de/");
  check_canonical("http://\xf0\x9f\x98\x80.example/", "http://xn--e28h.example/");
  check_canonical("http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1/", "http://127.0.0.1/");
  check_canonical("http://a_b.\xc3\xbc.example./", "http://a_b.xn--tda.example./");
  check_canonical("http://u@\xc3\x9c.example:81/", "http://u@xn--tda.example:81/");
  check_canonical("http://h//a//b", "http://h//a//b");
  check_canonical("mailto:Joe@Example.com", "mailto:Joe@Example.com");
  check_canonical("urn:a:b/../c", "urn:a:b/../c");
  check_canonical("file:///etc/../passwd", "file:///passwd");
  check_canonical("foo:/.//x", "foo:/.//x");
  check_canonical("foo:/a/..//x y", "foo:/.//x%20y");
  check_canonical("tel:", "tel:");
}

static void removes_dot_segments(void)
{
  check_canonical("http://h/a/b/c/./../../g", "http://h/a/g");
  check_canonical("http://h/mid/content=5/../6", "http://h/mid/6");
  check_canonical("http://h/..", "http://h/");
  check_canonical("http://h/.", "http://h/");
  check_canonical("http://h/../../a", "http://h/a");
  check_canonical("http://h/a/..", "http://h/");
  check_canonical("http://h/a/.", "http://h/a/");
  check_canonical("http://h/a/b/..", "http://h/a/");
  check_canonical("http://h/a/../", "http://h/");
  check_canonical("http://h/a//../b", "http://h/a/b");
  check_canonical("http://h/...", "http://h/...");
  check_canonical("http://h/.a/..b/c.", "http://h/.a/..b/c.");
  check_canonical("http://h/%2e%2e/a", "http://h/%2e%2e/a");
  check_canonical("http://h/a?x=/../b", "http://h/a?x=/../b");
  check_canonical("http://h/./a b/../c", "http://h/c");
}

static void knows_addresses(void)
{
  check_canonical("http://127.0.0.1:8080/", "http://127.0.0.1:8080/");
  check_canonical("http://127.1/", "http://127.0.0.1/");
  check_canonical("http://0x7f.0.0.1/", "http://127.0.0.1/");
  check_canonical("http://0177.0.0.01/", "http://127.0.0.1/");
  check_canonical("http://2130706433/", "http://127.0.0.1/");
  check_canonical("http://1.2.3.4./", "http://1.2.3.4/");
  check_canonical("http://0/", "http://0.0.0.0/");
  check_canonical("http://1:1?%", "http://0.0.0.1:1/?%25");
  check_canonical("http://1.2.3.4x/", "http://1.2.3.4x/");
  check_canonical("http://a1/", "http://a1/");
  check_canonical("http://[::1]", "http://[::1]/");
  check_canonical("http://[2001:DB8:0:0:0:0:0:1]:81/", "http://[2001:db8::1]:81/");
  check_canonical("http://[::ffff:1.2.3.4]/", "http://[::ffff:1.2.3.4]/");
  check_canonical("http://[fe80::1%25eth0]/", "http://[fe80::1%25eth0]/");
  check_canonical("http://[fe80::1%eth0]/", "http://[fe80::1%25eth0]/");
  check_canonical("http://u:p@[::1]:8080/", "http://u:p@[::1]:8080/");
  check(parses("https://[::1]/"));
  check_part(host, "::1");
  check(shared.ipv6 && shared.port == 443);
}

static void says_what_is_wrong_and_where(void)
{
  check_refused("", "the URL is empty");
  check_refused("example.com/a", "no scheme: write https://…");
  check_refused("127.0.0.1:80/", "no scheme: write https://…");
  check_refused("://h/", "no scheme: write https://…");
  check_refused("/items", "the URL is relative and there is no base: write https://…");
  check_refused(" http://h/", "the URL begins with a space");
  check_refused("https:example.com", "the URL has no host: write https://…");
  check_refused("https:/example.com", "the URL has no host: write https://…");
  check_refused("https://", "the URL has no host at byte 9");
  check_refused("https:///a", "the URL has no host at byte 9");
  check_refused("https://?a", "the URL has no host at byte 9");
  check_refused("https://:80/", "the URL has no host at byte 9");
  check_refused("https://u@/", "the URL has no host at byte 9");
  check_refused("foo://:80/", "the URL has no host at byte 7");
  check_refused("https://h/a\nb", "the URL has a line feed at byte 12");
  check_refused("https://h/a\r", "the URL has a carriage return at byte 12");
  check_refused("https://h/?a\tb", "the URL has a tab at byte 13");
  check_refused("https://h/#\x7f", "the URL has a control character at byte 12");
  check_refused_bytes("https://h/\0a", 12, "the URL has a NUL at byte 11");
  check_refused_bytes("https://h\0/", 11, "the URL has a NUL at byte 10");
  check_refused_bytes("ht\0tps://h/", 11, "the URL has a NUL at byte 3");
  check_refused("https://h\n/", "the URL has a line feed at byte 10");
  check_refused("https://u\n@h/", "the URL has a line feed at byte 10");
  check_refused("https://h\\a", "the URL has a backslash at byte 10");
  check_refused("https://h/a\\b", "the URL has a backslash at byte 12");
  check_refused("https:\\\\h/", "the URL has no host: write https://…");
  check_refused("https://a b/", "the URL has a space in the host at byte 10");
  check_refused("https://a<b/", "the URL has a character that cannot be in a host at byte 10");
  check_refused("https://a%2fb/", "the URL has a character that cannot be in a host at byte 10");
  check_refused("https://a%00b/", "the URL has a character that cannot be in a host at byte 10");
  check_refused("https://a%zz/", "the URL has a character that cannot be in a host at byte 10");
  check_refused("https://a%C3/", "the URL's host is not valid UTF-8");
  check_refused("https://a\xed\xa0\x80/", "the URL's host is not valid UTF-8");
#define NO_NAME "the URL's host is not a valid international name: string "
  check_refused("https://\xef\xbf\xbd.example/", NO_NAME "contains a disallowed character");
  check_refused("https://look\xe2\x80\xaeout.example/", NO_NAME "contains a disallowed character");
  check_refused("https://\xe2\x80\x8d"
                "a.example/",
                NO_NAME "contains a forbidden context-j character");
  check_refused("https://\xe2\x80\x8d\xe2\x98\x83/", NO_NAME "contains a disallowed character");
  check_refused("https://\xcc\x81"
                "a.example/",
                NO_NAME "contains a forbidden leading combining character");
  /* a/c, %, :, ?, @, # */
  static const char *const delimiters[] = {"\xe2\x84\x80", "\xef\xbc\x85", "\xef\xbc\x9a",
                                           "\xef\xbc\x9f", "\xef\xbc\xa0", "\xef\xbc\x83"};
  for (size_t i = 0; i < sizeof delimiters / sizeof *delimiters; i++) {
    char given[32];
    snprintf(given, sizeof given, "https://a%sb.example/", delimiters[i]);
    check_refused(given, "the URL's host has a character that stands for a delimiter");
  }
  check_refused("https://\xc2\xad.example/", "the URL has a host with an empty label at byte 9");
  check_refused("https://h:x/", "the URL has a port that is not a number at byte 11");
  check_refused("https://h:8 /", "the URL has a port that is not a number at byte 12");
  check_refused("https://h:-1/", "the URL has a port that is not a number at byte 11");
  check_refused("https://h:65536/", "the URL has a port above 65535 at byte 11");
  check_refused("https://h:99999999999999999999/", "the URL has a port above 65535 at byte 11");
  check_refused("https://a@b@c/",
                "the URL has a second \"@\" before the path (in a name or password write %40) at byte 12");
  check_refused("https://a..b/", "the URL has a host with an empty label at byte 9");
  check_refused("https://.a/", "the URL has a host with an empty label at byte 9");
  check_refused("https://u@a..b/", "the URL has a host with an empty label at byte 11");
  check_refused("https://1.2.3.256/", "the URL has a host that is not a valid IPv4 address at byte 9");
  check_refused("https://1.2.3.4.5/", "the URL has a host that is not a valid IPv4 address at byte 9");
  check_refused("https://4294967296/", "the URL has a host that is not a valid IPv4 address at byte 9");
  check_refused("https://09.1/", "the URL has a host that is not a valid IPv4 address at byte 9");
  check_refused("https://[::1/", "the URL has a \"[\" without \"]\" at byte 9");
  check_refused("https://[::g]/", "the URL has an invalid IPv6 address at byte 10");
  check_refused("https://[]/", "the URL has an invalid IPv6 address at byte 10");
  check_refused("https://[::1]x/", "the URL has something behind the IPv6 address at byte 14");
  check_refused("https://[fe80::1%]/", "the URL has an empty zone in an IPv6 address at byte 18");
  check_refused("https://[fe80::1%25aaaaaaaaaaaaaaaa]/",
                "the URL has a zone of more than 15 bytes in an IPv6 address at byte 20");
  check_refused("https://[fe80::1%25a/b]/", "the URL has a \"[\" without \"]\" at byte 9");

  size_t length = URL_LENGTH_LIMIT + 1;
  char *text = malloc(length);
  memset(text, 'a', length);
  memcpy(text, "http://h/", 9);
  check_refused_bytes(text, length, "the URL is longer than 1 MiB");
  for (size_t i = 7; i < 7 + 256; i++) text[i] = i % 60 ? 'a' : '.';
  check_refused_bytes(text, 7 + 256, "the URL's host is longer than 255 bytes");
  memset(text + 7, 'a', 64);
  error e = {0};
  check(url_parse(&shared, text, 7 + 63, &e));
  check_refused_bytes(text, 7 + 64, "the URL has a host with a label of more than 63 bytes at byte 8");
  memcpy(text + 7 + 62, "\xc3\xbc", 2);
  check_refused_bytes(text, 7 + 64,
                      "the URL's host is not a valid international name: "
                      "domain label longer than 63 characters");
  free(text);
}

static void takes_long_urls_with_much_to_encode(void)
{
  size_t length = URL_LENGTH_LIMIT;
  char *text = malloc(length);
  error e;
  memset(text, ' ', length);
  memcpy(text, "http://1/?", 10);
  check(url_parse(&shared, text, length, &e));
  check(shared.query.length == 3 * (length - 10));
  memset(text + 9, '/', length - 9);
  check(url_parse(&shared, text, length, &e));
  free(text);
}

static void asks_for_http(void)
{
  error e;
  check(parses("http://h/") && url_require_http(&shared, &e));
  check(parses("https://h/") && url_require_http(&shared, &e));
  check(parses("ftp://h/") && !url_require_http(&shared, &e));
  check(e.kind == ERROR_url);
  check_string(e.message, "the scheme \"ftp\" cannot be requested, only http and https");
  check(parses("localhost:8080/a") && !url_require_http(&shared, &e));
  check_string(e.message, "no scheme: write http://localhost:…");
  check(parses("tel:") && !url_require_http(&shared, &e));
}

static void joins(const char *base_text, const char *reference, const char *wanted)
{
  url base = {0}, result = {0};
  error e = {0};
  check(url_parse(&base, base_text, strlen(base_text), &e));
  bool well = url_join(&result, &base, reference, strlen(reference), &e);
  if (wanted) {
    if (!check(well)) fprintf(stderr, "  %s + %s: %s\n", base_text, reference, e.message);
    if (well && !check_bytes(result.text.bytes, result.text.length, wanted))
      fprintf(stderr, "  %s + %s\n", base_text, reference);
  } else {
    check(!well && e.kind == ERROR_url);
  }
  url_free(&base);
  url_free(&result);
}

static void resolves_references(void)
{
  static const char *const examples[][2] = {
      /* RFC 3986 section 5.4.1 */
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"}, /* "http://g", in canonical form */
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"g#s", "http://a/b/c/g#s"},
      {"g?y#s", "http://a/b/c/g?y#s"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y#s"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      /* 5.4.2 */
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g#s/./x"},
      {"g#s/../x", "http://a/b/c/g#s/../x"},
      {"http:g", "http://a/b/c/g"}, /* the older reading, as browsers have it */
      {"HTTP:/g", "http://a/g"},
      {"https://x/y", "https://x/y"},
      {"g h\xc3\xa9", "http://a/b/c/g%20h%C3%A9"},
  };
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
    joins("http://a/b/c/d;p?q", examples[i][0], examples[i][1]);
  joins("http://a/b/c/d;p?q#old", "", "http://a/b/c/d;p?q");
  joins("http://u:p@a:81/b?q", "c", "http://u:p@a:81/c");
  joins("http://u:p@a:81/b?q", "//c", "http://c/");
  joins("http://a", "b", "http://a/b");
  joins("http://a?x/y", "b", "http://a/b");
  joins("http://a/?", "#f", "http://a/?#f");
  joins("http://[::1]:8080/a", "b", "http://[::1]:8080/b");
  joins("file:///a/b", "c", "file:///a/c");
  joins("foo:/a", ".//b", "foo:/.//b");
  joins("mailto:a@b", "#f", "mailto:a@b#f");
  joins("mailto:a@b", "c", NULL);
  joins("http://a/b", "https:c", NULL);
  joins("http://a/b", "//", NULL);
  joins("http://a/b", "c\nd", NULL);
  joins("http://a/b", "\\\\evil", NULL);
  joins("http://a/b", "http://c d/", NULL);
}

static void writes_other_forms(void)
{
  buffer out = {0};
  check(parses("https://u:p@h:444/a?b#c") && url_write_bare(&shared, &out));
  check_bytes(out.bytes, out.length, "https://h:444/a?b");
  check(!url_is_bare(&shared) && strlen(out.bytes) == out.length);
  out.length = 0;
  check(parses("https://u@[::1]/") && url_write_bare(&shared, &out));
  check_bytes(out.bytes, out.length, "https://[::1]/");
  out.length = 0;
  check(parses("https://h/#") && !url_is_bare(&shared) && url_write_bare(&shared, &out));
  check_bytes(out.bytes, out.length, "https://h/");
  out.length = 0;
  check(parses("https://h/a") && url_is_bare(&shared) && url_write_bare(&shared, &out));
  check_bytes(out.bytes, out.length, "https://h/a");
  out.length = 0;
  check(url_write_origin(&shared, &out));
  check_bytes(out.bytes, out.length, "https://h:443");
  out.length = 0;
  check(parses("http://u@[::1]:8080/x") && url_write_origin(&shared, &out));
  check_bytes(out.bytes, out.length, "http://[::1]:8080");
  out.length = 0;
  check(parses("redis://h/x") && url_write_origin(&shared, &out));
  check_bytes(out.bytes, out.length, "redis://h");
  buffer_free(&out);
}

static void redacts(const char *text, const char *wanted)
{
  buffer out = {0};
  check(url_redact(&out, text, strlen(text)));
  check_bytes(out.bytes, out.length, wanted);
  buffer_free(&out);
}

static void keeps_secrets_out_of_messages(void)
{
  redacts("https://h/a?b=c#d", "https://h/a?b=c#d");
  redacts("https://u:p@h/a", "https://***@h/a");
  redacts("https://token@h", "https://***@h");
  redacts("https://u:p@q@h/a@b", "https://***@h/a@b");
  redacts("https://h/a?page=2&access_token=abc&x=y", "https://h/a?page=2&access_token=***&x=y");
  redacts("https://h/?API-Key=1&api_key=2&ApiKey=3", "https://h/?API-Key=***&api_key=***&ApiKey=***");
  redacts("https://h/?X-Amz-Signature=1&AWSAccessKeyId=2",
          "https://h/?X-Amz-Signature=***&AWSAccessKeyId=***");
  redacts("https://h/?p%61ssword=1;passwd=2", "https://h/?p%61ssword=***;passwd=***");
  redacts("https://h/?client_secret=a=b&session_id=c", "https://h/?client_secret=***&session_id=***");
  redacts("https://h/?code=1&country_code=DE&auth=2&author=me",
          "https://h/?code=***&country_code=DE&auth=***&author=me");
  redacts("https://h/?token=&token", "https://h/?token=&token");
  redacts("https://h/#access_token=abc&state=1", "https://h/#access_token=***&state=1");
  redacts("not a url?token=1", "not a url?token=***");
  redacts("", "");
  redacts("//u@h", "//***@h");
  static const char *const names[] = {
      "SAMLResponse", "samlrequest", "pass",      "passphrase",       "sid",
      "connect.sid",  "jwt",         "bearer",    "private_key",      "privateKey",
      "otp",          "pin",         "hmac",      "subscription-key", "app_key",
      "appid",        "APP_ID",      "assertion", "client_assertion", "PHPSESSID"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char given[64], wanted[64];
    snprintf(given, sizeof given, "https://h/?a=1&%s=x1", names[i]);
    snprintf(wanted, sizeof wanted, "https://h/?a=1&%s=***", names[i]);
    redacts(given, wanted);
  }
  redacts("https://h/?side=1&passage=2&bypass=3&spin=4&pinned=5&jwts=6",
          "https://h/?side=1&passage=2&bypass=3&spin=4&pinned=5&jwts=6");
  /* userinfo of what is no URL */
  redacts("http://u:p/w@h/a", "http://***@h/a");
  redacts("http://u:p#w@h/a?b#c", "http://***@h/a?b#c");
  redacts("http://u:p?w@h/a?token=1", "http://***@h/a?token=***");
  redacts("http://u:p@h:port/", "http://***@h:port/");
  redacts("http://u:p w@h/", "http://***@h/");
  redacts("http:/u:p@h/", "http:/***@h/");
  redacts("http:u:p@h/", "http:***@h/");
  redacts("https:token@h/", "https:***@h/");
  redacts("http:\\\\u:p@h\\", "http:\\\\***@h\\");
  redacts("u:p@h/a", "***@h/a");
  redacts("http//u:p@h/a", "http//***@h/a");
  redacts("http://[::1]/a@b", "http://[::1]/a@b");
  redacts("http://h:81/a@b", "http://h:81/a@b");
  redacts("/a/b@c", "/a/b@c");
}

static void encodes(void)
{
  buffer out = {0};
  check(url_encode(&out, "a b/c~\xc3\xa9", 8));
  check_bytes(out.bytes, out.length, "a%20b%2Fc~%C3%A9");
  check(url_encode(&out, "", 0) && strlen(out.bytes) == out.length);
  out.length = 0;
  check(url_decode(&out, "a%20b+c%zz%4", 12, false));
  check_bytes(out.bytes, out.length, "a b+c%zz%4");
  out.length = 0;
  check(url_decode(&out, "a+b%2B%", 7, true));
  check_bytes(out.bytes, out.length, "a b+%");
  buffer_free(&out);
}

int main(void)
{
  splits_into_parts();
  parses_after_another_of_the_same_origin();
  writes_the_canonical_form();
  removes_dot_segments();
  knows_addresses();
  says_what_is_wrong_and_where();
  takes_long_urls_with_much_to_encode();
  asks_for_http();
  resolves_references();
  writes_other_forms();
  keeps_secrets_out_of_messages();
  encodes();
  url_free(&shared);
  return unit_end();
}
