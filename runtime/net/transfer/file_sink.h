/* The body of a stream, written to a file: the disk's pace holds the peer back. */
#ifndef LURCHER_NET_FILE_SINK_H
#define LURCHER_NET_FILE_SINK_H

#include "core/file/file_writer.h"
#include "net/transfer/transfer.h"

typedef struct {
  uint64_t most;        /* bytes that may come */
  error_kind when_more; /* of the failure when there are more */
} file_sink_limit;

/* As transfer_pour, into a writer, of which the sink is one more user. False: out of memory (nothing was
 * done).
 */
bool transfer_pour_into_file(transfer *t, file_writer *w, const file_sink_limit *limit);

#endif
