/* A transfer's limits of time. Activity only notes its time; one timer finds out how much is left. */
#ifndef LURCHER_NET_TRANSFER_LIMITS_H
#define LURCHER_NET_TRANSFER_LIMITS_H

#include "net/transfer/transfer.h"

/* Sets the clock anew after a limit came back into force. */
void transfer_limits_watch(transfer *t);

/* Another limit holds now, perhaps one that is due before the clock's. May be called by libcurl's callbacks.
 */
void transfer_limits_changed(transfer *t);

#endif
