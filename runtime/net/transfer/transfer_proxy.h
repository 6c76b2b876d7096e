/* What lies between a transfer and its server when it goes through a proxy. */
#ifndef LURCHER_NET_TRANSFER_PROXY_H
#define LURCHER_NET_TRANSFER_PROXY_H

#include "net/transfer/transfer.h"

bool transfer_proxy_is_https(const transfer_options *o);

/* Sets the proxy on an easy handle, or none, whatever the environment says. False: out of memory. */
bool transfer_proxy_set(const transfer_options *o, CURL *easy);

/* "host:port" of the server, with its proxy if there is one. Valid until the next call. */
const char *transfer_peer_name(const transfer *t);

/* Takes a line of a proxy's answer to CONNECT. False: there is no tunnel, and the failure is set; then
 * `exchange.wants_login` tells that the response's head is that of a 407. */
bool transfer_proxy_line(transfer *t, const char *line, size_t length);

/* It is connected: what its proxy answered to CONNECT is no response. */
void transfer_proxy_passed(transfer *t);

/* Sets the failure if the proxy is at fault for libcurl's result. False: it is not. */
bool transfer_proxy_failed(transfer *t, CURLcode code);

#endif
