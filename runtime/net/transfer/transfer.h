/* One request on its way: from waiting for a slot to the last byte of the response, or to its failure.
 *
 *   transfer_new → set method, target, upload … → operation_begin(&t->op, …) → transfer_start
 *   … the operation completes: at the end, or, for a stream, when the head is there …
 *   → look at failure, head, body → transfer_free
 *
 * A stream goes on (transfer_body.h): transfer_available, then operation_begin again and wait where it says
 * TRANSFER_MORE_TO_COME. So does, by transfer_gather or transfer_discard, a response that was undecided.
 *
 * With request.connect_only the operation completes when there is a connection, which lasts until the
 * transfer is freed, or ended by its pool. */
#ifndef LURCHER_NET_TRANSFER_H
#define LURCHER_NET_TRANSFER_H

#include "core/container_of.h"
#include "core/error.h"
#include "core/loop/operation.h"
#include "net/pool/pool.h"
#include "net/transfer/transfer_exchange.h"
#include "net/transfer/transfer_options.h"
#include "net/transfer/transfer_request.h"
#include "net/transfer/transfer_response.h"

typedef struct transfer transfer;

/* Nanoseconds of the transfer's clock; 0: did not happen */
typedef struct {
  uint64_t queued, dispatched, connected, first_byte, ended;
  uint64_t dns, connect, tls; /* durations of those phases, 0 on a reused connection */
} transfer_times;

/* Who uses the connection of a transfer with request.connect_only, or answers one with request.played. */
typedef struct transfer_rider transfer_rider;

struct transfer_rider {
  void (*end)(
      transfer_rider *rider); /* the connection is about to be closed; the failure, if any, tells why */
  void (*more)(transfer_rider *rider); /* played: the request's body, or the response's reader, goes on */
};

struct transfer {
  admission admission; /* what its pool sees of it */
  multi_job job;       /* what its multi sees of it */
  operation op;

  /* Counted references, but for the clock. */
  pool *pool;
  transfer_options *options;
  loop_clock *time; /* of its limits and times */

  transfer_request request; /* to be set before transfer_start */
  transfer_exchange exchange;
  transfer_response response;

  error *failure;        /* NULL: none so far */
  transfer_rider *rider; /* NULL: none; set once it is connected, or played */
  transfer_times times;

  /* Not cleared when a transfer is used again. */
  transfer_handle *handle; /* NULL: it never ran */
};

/* An empty transfer that holds references to pool, options and headers. NULL: out of memory. */
transfer *transfer_new(pool *p, transfer_options *options, header_list *headers, loop_clock *time);

/* The transfer of an operation, which is its `op`. */
static inline transfer *transfer_of(operation *op) { return container_of(op, transfer, op); }

/* Hands it to its pool, counted under `label` (NULL: none). The operation must have begun; it completes even
 * when this fails (then failure is set). */
void transfer_start(transfer *t, const char *label);

/* It holds a slot: looks at its body's files, and gives it to libcurl; of the transfer's own parts. */
void transfer_begin(transfer *t);

/* Stops it if it still waits or runs, and frees it; its operation is reset. */
void transfer_free(transfer *t);

/* Ends it with kind "canceled". */
void transfer_cancel(transfer *t, const char *why);

/* ---- for the other files of this room ---- */

void transfer_fail_memory(transfer *t);
void transfer_fail_with(transfer *t, const error *why);
void transfer_free_spares(linked_list *spares);

/* The place to write the failure to; the first failure stays. Never NULL. */
error *transfer_failure(transfer *t);

/* Sets the failure to what was wrong with the head or the body, with what only the transfer knows. */
void transfer_fail_reading(transfer *t, const error *e);

/* Sets the failure to that of the request's body, which cannot go on. */
void transfer_fail_upload(transfer *t);

/* Sets the failure to the reason of the network's budget. */
void transfer_fail_refused(transfer *t);

/* Ends a running transfer at once, its failure being set; its operation completes. Not from a libcurl
 * callback. */
void transfer_stop(transfer *t);

/* Whether another process or machine answers this request: a virtual run then waits for it. */
void transfer_set_external(transfer *t, bool external);

#endif
