#ifndef LURCHER_NET_TRANSFER_ADDRESS_H
#define LURCHER_NET_TRANSFER_ADDRESS_H

#include "net/transfer/transfer.h"

/* Sets the address on the easy handle. False: out of memory, or the failure says why not. */
bool transfer_address_set(transfer *t);

#endif
