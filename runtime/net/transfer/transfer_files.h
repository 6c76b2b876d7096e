/* The files of TLS where the host is asked for each: libcurl would open them by name, a moment after. */
#ifndef LURCHER_NET_TRANSFER_FILES_H
#define LURCHER_NET_TRANSFER_FILES_H

#include "net/transfer/transfer.h"

/* Sets their bytes on the easy handle instead of their names, where a permit is in force: those of the files
 * that were asked for, read anew only when they have changed. False: the failure is set. */
bool transfer_files_set(transfer *t);

/* The easy handle is gone, and what was set on it. */
void transfer_files_forget(transfer_handle *h);

#endif
