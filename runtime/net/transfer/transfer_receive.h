/* What arrives: libcurl's callbacks, which only append to buffers, and the reading of a stream. */
#ifndef LURCHER_NET_TRANSFER_RECEIVE_H
#define LURCHER_NET_TRANSFER_RECEIVE_H

#include "net/transfer/transfer.h"

typedef enum { TRANSFER_BYTES, TRANSFER_MORE_TO_COME, TRANSFER_COMPLETE, TRANSFER_FAILED } transfer_supply;

/* For streams: TRANSFER_BYTES when the body has `wanted` bytes that were not taken yet (decoding some if need
 * be). After the end there may be fewer, beside TRANSFER_COMPLETE or TRANSFER_FAILED. Not from a libcurl
 * callback. */
transfer_supply transfer_available(transfer *t, size_t wanted);

/* Connects the easy handle's callbacks to this transfer. */
void transfer_set_callbacks(transfer *t);

/* Has transfers learn what happens on the TLS connections of an SSL_CTX. */
void transfer_watch_tls(void *context);

/* Checks after a clean end that everything announced has arrived; else sets the failure. */
void transfer_check_complete(transfer *t);

#endif
