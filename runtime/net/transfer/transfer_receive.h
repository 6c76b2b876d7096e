/* What arrives: libcurl's callbacks, which only append to buffers. */
#ifndef LURCHER_NET_TRANSFER_RECEIVE_H
#define LURCHER_NET_TRANSFER_RECEIVE_H

#include "net/transfer/transfer.h"

/* Connects the easy handle's callbacks to this transfer. */
void transfer_set_callbacks(transfer *t);

/* Has transfers learn what happens on the TLS connections of an SSL_CTX. */
void transfer_watch_tls(void *context);

/* The head is there, which tells whether the response is read as a stream. */
void transfer_head_complete(transfer *t);

/* Takes bytes of the body. False: the transfer has failed. */
bool transfer_take_body(transfer *t, const char *bytes, size_t length);

/* Counts what came. False: it was more than the run may receive, and the transfer has failed. */
bool transfer_count_received(transfer *t, size_t length);

/* Checks after a clean end that everything announced has arrived; else sets the failure. */
void transfer_check_complete(transfer *t);

/* OpenSSL's reason for which a certificate was rejected in libcurl's last call, which has none when it was
 * that of a server behind an HTTPS proxy: the alert goes through the proxy's TLS, which forgets the error.
 * Once. */
long transfer_take_rejection(void);

#endif
