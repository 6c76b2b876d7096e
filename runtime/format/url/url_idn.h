/* International host names: what a person reads to what DNS and HTTP carry. */
#ifndef LURCHER_NET_URL_IDN_H
#define LURCHER_NET_URL_IDN_H

#include <stdbool.h>
#include <stddef.h>

/* Writes `host`, valid UTF-8, to `out` (`room` bytes, no NUL at the end): labels that are not ASCII in lower
 * case and punycode (RFC 3492) behind "xn--", the ideographic full stop as a dot. Returns its length, or 0
 * when it does not fit or memory ran out. Names are taken as they are composed: no Unicode normalisation. */
size_t url_idn_to_ascii(const char *host, size_t length, char *out, size_t room);

#endif
