/* Texts made from URLs: joined, bare, origins, redacted, percent-encoded. */
#ifndef LURCHER_FORMAT_URL_TEXT_H
#define LURCHER_FORMAT_URL_TEXT_H

#include "format/url/url.h"

/* Resolves a reference against `base` (RFC 3986 section 5.3; "http:g" counts as relative to an http base, as
 * in browsers). `result` must not be `base`. Errors as url_parse. */
bool url_join(url *result, const url *base, const char *reference, size_t length, error *e);

/* Each of the following appends to `out`, followed by a NUL that is not counted; false when memory ran out.
 */

/* The URL without userinfo and fragment: what goes to the network. */
bool url_write_bare(const url *u, buffer *out);

/* "https://host:port", the port always there if it is known. */
bool url_write_origin(const url *u, buffer *out);

/* Any text that may be a URL, for messages and logs: userinfo, and the values of query and fragment
 * parameters whose names look secret, become "***". */
bool url_redact(buffer *out, const char *text, size_t length);

/* Percent-encodes everything but letters, digits and "-._~". */
bool url_encode(buffer *out, const char *text, size_t length);

/* Decodes percent-encoding, and "+" to a space if `plus`; a "%" that introduces nothing stays. */
bool url_decode(buffer *out, const char *text, size_t length, bool plus);

#endif
