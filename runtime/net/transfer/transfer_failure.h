/* From libcurl's results to the runtime's error kinds. */
#ifndef LURCHER_NET_TRANSFER_FAILURE_H
#define LURCHER_NET_TRANSFER_FAILURE_H

#include "net/transfer/transfer.h"

/* Sets the failure from libcurl's result, unless one is set. */
void transfer_failure_set(transfer *t, const multi_result *result);

/* Sets the failure of one whose HTTP/2 stream the server refused as often as it came. */
void transfer_fail_stream(transfer *t);

/* Why TLS with the server or with its proxy failed, in words; valid until the next call. */
const char *transfer_tls_reason(const transfer *t, CURLcode code, bool of_proxy);

/* libcurl says nothing but that the connection broke. */
bool transfer_says_cut(const transfer *t);

#endif
