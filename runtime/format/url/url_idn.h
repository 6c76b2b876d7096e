/* International host names: what a person reads to what DNS and HTTP carry. */
#ifndef LURCHER_NET_URL_IDN_H
#define LURCHER_NET_URL_IDN_H

#include <stddef.h>

/* Turns `host`, UTF-8 that ends with a NUL, into the name that DNS knows (UTS 46, non-transitional):
 * composed, in lower case, with punycode behind "xn--". The result is the caller's, for free(). NULL: it is
 * no name, and
 * `*reason` says why in libidn2's words. What the result may consist of is for the caller to check: the
 * mapping yields any ASCII character. */
char *url_idn_to_ascii(const char *host, const char **reason);

#endif
