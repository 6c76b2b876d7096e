/* Lists of hosts that are reached without a proxy, as no_proxy writes them.
 *
 * Entries are separated by commas and blanks. One is "*" (every host); a name, which stands for itself and
 * all names below it, with or without a dot before it; "*.name" for those below it only; an address; or
 * addresses in CIDR notation. A name or an address may be followed by a port, an IPv6 address may stand in
 * brackets. Addresses are compared by value, names without regard to case and a dot at their end. */
#ifndef LURCHER_FORMAT_NO_PROXY_H
#define LURCHER_FORMAT_NO_PROXY_H

#include "format/url/url.h"

/* Whether an entry of the list names the URL's host. Entries that make no sense name nothing. */
bool no_proxy_names(const char *list, size_t length, const url *u);

/* Whether each entry of the list makes sense; if not, `*bad` and `*bad_length` are the first that does not.
 */
bool no_proxy_is_valid(const char *list, size_t length, const char **bad, size_t *bad_length);

#endif
