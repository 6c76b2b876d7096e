/* Characters of URLs, and what hosts are made of. Private to the url files. */
#ifndef LURCHER_NET_URL_CHARACTERS_H
#define LURCHER_NET_URL_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a character may stand as it is. */
enum {
  URL_UNRESERVED = 1, /* letters, digits, "-._~" */
  URL_HOST = 2,       /* no capitals */
  URL_USER = 4,       /* user or password */
  URL_PATH = 8,       /* brackets too, as all browsers leave them */
  URL_QUERY = 16,     /* query or fragment */
  URL_SCHEME = 32,
  URL_DIGIT = 64,
  URL_HEX = 128,
};

extern const unsigned char url_classes[256];

static inline bool url_is(char c, int class) { return url_classes[(unsigned char)c] & class; }

static inline char url_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

/* The value of a URL_HEX character. */
static inline int url_hex(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

/* Whether "%xx" is at `at`. */
static inline bool url_is_escape(const char *at, const char *end)
{
  return end - at >= 3 && at[0] == '%' && url_is(at[1], URL_HEX) && url_is(at[2], URL_HEX);
}

/* Whether the host's last label makes it an IPv4 address and nothing else: it is a number. */
bool url_ends_in_number(const char *host, const char *end);

/* Reads an IPv4 address in any of inet_aton's forms ("127.0.0.1", "127.1", "0x7f000001"). */
bool url_parse_ipv4(const char *at, const char *end, uint32_t *address);

#endif
