/* URLs: parsed once into a canonical text and slices of it (RFC 3986, with the WHATWG standard's reading
 * where browsers and servers agree on one).
 *
 * Canonical means: scheme and host in lower case, IPv4 and IPv6 literals in their usual form, no default
 * port, dot segments removed, "/" for the empty path of a URL with a host, and percent-encoding for bytes
 * that may not stand where they do (spaces, UTF-8, a stray "%"). What is encoded already stays as it was
 * given. An international host name is what DNS knows: mapped by UTS 46 and in punycode. */
#ifndef LURCHER_FORMAT_URL_H
#define LURCHER_FORMAT_URL_H

#include "core/buffer.h"
#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer URLs are refused (kind url). */
#define URL_LENGTH_LIMIT ((size_t)1 << 20)

/* Part of the canonical text. A part that is absent has offset 0; one that is there but empty (the query of
 * "http://h/?") has not. */
typedef struct {
  uint32_t offset, length;
} url_part;

typedef struct {
  buffer text;     /* the canonical URL; a NUL follows that is not counted */
  url_part scheme; /* "https": the one part whose offset is 0 */
  url_part user;   /* still percent-encoded, as are all the parts below */
  url_part password;
  url_part host; /* without the brackets of an IPv6 literal */
  url_part path;
  url_part query;    /* without "?" */
  url_part fragment; /* without "#" */
  uint16_t port;     /* the scheme's default when none was given; 0 when there is none either */
  bool port_given;   /* the text has a port: one was given that is not the scheme's default */
  bool ipv6;         /* host is an IPv6 literal */
} url;

/* All-zero is an empty URL. */

/* Parses an absolute URL of any scheme into `u`, whose buffer is used again; quicker when `u` holds a URL of
 * the same origin. False with kind url, and a message that says what and where (bytes count from 1) but
 * quotes nothing secret; then `u` is empty but may still own memory. */
bool url_parse(url *u, const char *text, size_t length, error *e);

/* False with kind url unless the scheme is http or https. */
bool url_require_http(const url *u, error *e);

void url_free(url *u);

static inline bool url_has(url_part part) { return part.offset != 0; }
static inline const char *url_bytes(const url *u, url_part part) { return u->text.bytes + part.offset; }

/* True when the text has neither userinfo nor fragment, so that it can be requested as it is. */
static inline bool url_is_bare(const url *u) { return !url_has(u->user) && !url_has(u->fragment); }

#endif
