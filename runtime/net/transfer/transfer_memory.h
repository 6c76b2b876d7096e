/* What bodies take in memory is counted by the runtime's account, which has a limit. */
#ifndef LURCHER_NET_TRANSFER_MEMORY_H
#define LURCHER_NET_TRANSFER_MEMORY_H

#include "net/transfer/transfer.h"

/* The transfer, with the buffers it has kept, is in use from now on; and no longer. */
void transfer_memory_begin(transfer *t);
void transfer_memory_end(transfer *t);

/* As transfer_response_receive, _decode and _pour. */
bool transfer_memory_receive(transfer *t, const char *bytes, size_t length, error *e);
bool transfer_memory_decode(transfer *t, size_t wanted, error *e);
bool transfer_memory_pour(transfer *t, body_sink *sink, error *e);

#endif
