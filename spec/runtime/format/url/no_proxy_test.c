#include "format/url/no_proxy.h"

#include "support/unit.h"

static const struct {
  const char *list, *url;
  bool named;
} cases[] = {
    /* names, and those below them */
    {"example.com", "http://example.com/", true},
    {"example.com", "http://api.example.com/", true},
    {".example.com", "http://example.com/", true},
    {".example.com", "http://api.example.com/", true},
    {"*.example.com", "http://api.example.com/", true},
    {"*.example.com", "http://example.com/", false},
    {"example.com", "http://badexample.com/", false},
    {".example.com", "http://badexample.com/", false},
    {"example.com", "http://example.com.evil.org/", false},
    {"api.example.com", "http://example.com/", false},
    {"EXAMPLE.com", "http://Api.Example.COM/", true},
    {"example.com.", "http://example.com/", true},
    {"example.com", "http://example.com./", true},
    {"com", "https://example.com/", true},
    {"localhost", "http://localhost:8080/", true},
    {"m\xc3\xbcller.example", "http://shop.m\xc3\xbcller.example/", true},
    {".xn--mller-kva.example", "http://m\xc3\xbcller.example/", true},

    /* everything, lists, blanks */
    {"*", "http://example.com/", true},
    {"*", "http://[::1]/", true},
    {"", "http://example.com/", false},
    {" , ,, ", "http://example.com/", false},
    {"a.com,b.com", "http://b.com/", true},
    {" a.com , b.com ", "http://b.com/", true},
    {"a.com b.com\tc.com", "http://c.com/", true},
    {"a.com,*", "http://c.com/", true},
    {"a*", "http://abc/", false},

    /* ports */
    {"example.com:8080", "http://example.com:8080/", true},
    {"example.com:8080", "http://api.example.com:8080/", true},
    {"example.com:8080", "http://example.com/", false},
    {"example.com:80", "http://example.com/", true},
    {"example.com:443", "https://example.com/", true},
    {"example.com:443", "http://example.com/", false},
    {"10.0.0.1:81", "http://10.0.0.1:81/", true},
    {"10.0.0.1:81", "http://10.0.0.1/", false},
    {"[::1]:8080", "http://[::1]:8080/", true},
    {"[::1]:8080", "http://[::1]/", false},
    {"example.com:0", "http://example.com/", false},
    {"example.com:", "http://example.com/", false},
    {"example.com:x", "http://example.com/", false},
    {"example.com:99999", "http://example.com/", false},

    /* addresses by value, with and without brackets */
    {"127.0.0.1", "http://127.0.0.1/", true},
    {"127.0.0.1", "http://127.1/", true},
    {"0.0.1", "http://127.0.0.1/", false},
    {".0.0.1", "http://127.0.0.1/", false},
    {"::1", "http://[::1]/", true},
    {"[::1]", "http://[::1]/", true},
    {"0:0:0:0:0:0:0:1", "http://[::1]:9/", true},
    {"2001:DB8::1", "http://[2001:db8:0::1]/", true},
    {"::2", "http://[::1]/", false},
    {"::ffff:10.1.2.3", "http://10.1.2.3/", true},
    {"10.1.2.3", "http://[::ffff:10.1.2.3]/", true},
    {"127.0.0.1", "http://localhost/", false},
    {"1", "http://[::1]/", false},

    /* networks of both families */
    {"10.0.0.0/8", "http://10.200.3.4/", true},
    {"10.0.0.0/8", "http://11.0.0.1/", false},
    {"10.1.2.3/8", "http://10.9.9.9/", true},
    {"192.168.4.0/22", "http://192.168.7.255/", true},
    {"192.168.4.0/22", "http://192.168.8.0/", false},
    {"0.0.0.0/0", "http://8.8.8.8/", true},
    {"0.0.0.0/0", "http://[::1]/", false},
    {"1.2.3.4/32", "http://1.2.3.4/", true},
    {"1.2.3.4/32", "http://1.2.3.5/", false},
    {"::/0", "http://[2001:db8::1]/", true},
    {"::/0", "http://1.2.3.4/", false},
    {"::/120", "http://[::1]/", true},
    {"::/127", "http://[::1]/", true},
    {"::/128", "http://[::1]/", false},
    {"[fc00::]/7", "http://[fd12::1]/", true},
    {"fc00::/7", "http://[fe80::1]/", false},
    {"fe80::/10", "http://[febf::1]/", true},
    {"::ffff:10.0.0.0/104", "http://10.2.3.4/", true},
    {"10.0.0.0/8", "http://[::ffff:10.2.3.4]/", true},
    {"10.0.0.0/8", "http://10.example.com/", false},

    /* entries that make no sense name nothing, and hide no others */
    {"10.0.0.0/33", "http://10.0.0.0/", false},
    {"10.0.0.0/", "http://10.0.0.0/", false},
    {"10.0.0.0/-1", "http://10.0.0.0/", false},
    {"::/129", "http://[::]/", false},
    {"10.0.0.0/x,b.com", "http://b.com/", true},
    {"/8", "http://10.0.0.0/", false},
    {"[::1", "http://[::1]/", false},
    {"[::1]x", "http://[::1]/", false},
    {"[1.2.3.4]", "http://1.2.3.4/", false},
    {":80", "http://example.com/", false},
    {".", "http://example.com/", false},
    {"..", "http://example.com/", false},
    {"http://example.com", "http://example.com/", false},
};

static void each_case_of_the_table(void)
{
  url u = {0};
  error e;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (!check(url_parse(&u, cases[i].url, strlen(cases[i].url), &e))) continue;
    bool named = no_proxy_names(cases[i].list, strlen(cases[i].list), &u);
    if (!check(named == cases[i].named)) fprintf(stderr, "  '%s' and %s\n", cases[i].list, cases[i].url);
  }
  url_free(&u);
}

static void tells_the_entry_that_makes_no_sense(void)
{
  static const char list[] = "a.com, 10.0.0.0/8 10.0.0.0/33,b.com";
  const char *bad = NULL;
  size_t length = 0;
  check(no_proxy_is_valid("", 0, &bad, &length));
  check(no_proxy_is_valid(list, 17, &bad, &length));
  check(!no_proxy_is_valid(list, strlen(list), &bad, &length));
  check_bytes(bad, length, "10.0.0.0/33");
}

static void takes_any_bytes(void)
{
  static const char bytes[] = "[:]/%*.,\0\xff"
                              "a1 @";
  url u = {0};
  error e;
  const char *bad;
  size_t bad_length;
  char list[24];
  uint32_t random = 1;
  check(url_parse(&u, "http://[::1]:80/", 16, &e));
  for (int round = 0; round < 200000; round++) {
    size_t length = (size_t)(round % (int)sizeof list);
    for (size_t i = 0; i < length; i++) {
      random = random * 1664525 + 1013904223;
      list[i] = bytes[(random >> 16) % (sizeof bytes - 1)];
    }
    no_proxy_names(list, length, &u);
    no_proxy_is_valid(list, length, &bad, &bad_length);
  }
  url_free(&u);
}

int main(void)
{
  each_case_of_the_table();
  tells_the_entry_that_makes_no_sense();
  takes_any_bytes();
  return unit_end();
}
