/* What a transfer may reach and read: network.permit is asked at each step that could lead elsewhere. */
#ifndef LURCHER_NET_TRANSFER_PERMIT_H
#define LURCHER_NET_TRANSFER_PERMIT_H

#include "net/transfer/transfer.h"

struct sockaddr;

/* Before anything is looked up: the names of the server and of its proxy, and the files of TLS. False: `e` is
 * the refusal. For the task that runs. */
bool transfer_permit_begin(const transfer *t, error *e);

/* Before a socket is connected. False: this address is left out; when no other answers, that is what the
 * transfer fails with. A Unix socket's path becomes the one that was asked for. From libcurl's callbacks. */
bool transfer_permit_connect(transfer *t, struct curl_sockaddr *address);

/* It is connected, or will not be: lets go of the descriptor by which libcurl was told the socket. */
void transfer_permit_release(transfer_handle *h);

/* Before a request goes over a connection: one that was there is asked for anew. False: the failure is set.
 * From libcurl's callbacks. */
bool transfer_permit_reuse(transfer *t, const char *address, int port);

#endif
