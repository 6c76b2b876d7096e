/* One request on its way: from waiting for a slot to the last byte of the response, or to its failure.
 *
 *   transfer_new → set method, target, upload … → operation_begin(&t->op, …) → transfer_start
 *   … the operation completes: at the end, or, for a stream, when the head is there …
 *   → look at failure, head, body → transfer_free
 *
 * A stream goes on: transfer_available, then operation_begin again and wait where it says
 * TRANSFER_MORE_TO_COME. */
#ifndef LURCHER_NET_TRANSFER_H
#define LURCHER_NET_TRANSFER_H

#include "core/byte_queue.h"
#include "core/container_of.h"
#include "core/error.h"
#include "core/loop/operation.h"
#include "format/coding/decode.h"
#include "format/http/head.h"
#include "net/curl/header_list.h"
#include "net/pool/pool.h"
#include "net/transfer/transfer_options.h"

enum { TRANSFER_METHOD_SIZE = 24, TRANSFER_ADDRESS_SIZE = 48 };

typedef struct transfer transfer;

/* Nanoseconds of the transfer's clock; 0: did not happen */
typedef struct {
  uint64_t queued, dispatched, connected, first_byte, ended;
  uint64_t dns, connect, tls; /* durations of those phases, 0 on a reused connection */
} transfer_times;

/* libcurl's side of a transfer, made when it first runs: tens of thousands may wait. Kept when the transfer
 * is recycled. */
typedef struct {
  char remote_address[TRANSFER_ADDRESS_SIZE];
  char hint[CURL_ERROR_SIZE]; /* libcurl's words on what failed since it was connected */
  CURL *easy;                 /* the profile's options are set on it */
  long buffer;                /* the size of its receive buffer */
  CURLU *address;             /* its URL, once it is used again */
  buffer address_text;        /* the URL that was set on it … */
  size_t address_path;        /* … and where its path begins; 0: set it as a whole next time */
  const multi *multi;         /* what was set on it last; only compared */
  const struct curl_slist *lines;
  bool used, has_address;
  bool ran_alone; /* without a share */
} transfer_handle;

struct transfer {
  admission admission; /* what its pool sees of it */
  multi_job job;       /* what its multi sees of it */
  operation op;
  network *network;

  /* The request. The first three are counted references, the others to be set before transfer_start. */
  pool *pool;
  transfer_options *options;
  header_list *headers;
  loop_clock *time; /* of its limits and times */
  char method[TRANSFER_METHOD_SIZE];
  url target;
  const char *upload; /* borrowed until the end, unless upload_copy holds it; NULL: no body */
  size_t upload_length;
  char *upload_copy; /* freed with the transfer */
  uint64_t deadline; /* time; 0: the profile's total from dispatch on */
  bool streaming, expect_continue;
  /* On the way, and of the outcome; together, because thousands of these live at once. */
  bool easy_in_multi, connected, paused, has_body, reused;
  bool first_header_expected; /* next, on a handle that was used before */
  bool verbose;               /* CURLOPT_VERBOSE is set */
  bool held;                  /* it was paused once */
  bool given_up;              /* what libcurl still hands over is thrown away */
  bool body_apart;            /* the body may not have come with the head */
  bool external;              /* counted in the loop's external_requests */
  bool close_notified;        /* only known of TLS bodies without length */
  bool fresh;                 /* on a connection made for it; only known of methods that are not idempotent */
  uint16_t connects;          /* made for it so far, as libcurl counted them when `fresh` was set */
  int remote_port, local_port;
  unsigned answered_before; /* by its origin group when it was dispatched */
  unsigned first_call;      /* the multi's call in which the head began */
  uint64_t framed;          /* bytes of the body with its framing; 0: not counted */
  void *session;            /* SSL; NULL: no TLS, HTTP/2, or no head yet */

  /* On the way. */
  struct curl_slist *connect_to, host_line; /* for profile->server_name */
  size_t uploaded;
  uint64_t active_at; /* when a byte last moved */
  timer clock;

  /* The outcome. */
  error *failure; /* NULL: none so far */
  head head;
  decoder *decoder;
  byte_queue raw;  /* streaming: received, not yet decoded */
  size_t wanted;   /* bytes of the body that its reader needs at once */
  byte_queue body; /* decoded; for a stream what was not taken yet */
  uint64_t bytes_received, bytes_sent;
  transfer_times times;

  transfer *next_spare;

  /* Not cleared when a transfer is used again. */
  transfer_handle *handle; /* NULL: it never ran */
};

/* An empty transfer that holds references to pool, profile and headers. NULL: out of memory. */
transfer *transfer_new(pool *p, transfer_options *options, header_list *headers, loop_clock *time);

/* The transfer of an operation, which is its `op`. */
static inline transfer *transfer_of(operation *op) { return container_of(op, transfer, op); }

/* Hands it to its pool, counted under `label` (NULL: none). The operation must have begun; it completes even
 * when this fails (then failure is set). */
void transfer_start(transfer *t, const char *label);

/* Stops it if it still waits or runs, and frees it; its operation is reset. */
void transfer_free(transfer *t);

/* Ends it with kind "canceled". */
void transfer_cancel(transfer *t, const char *why);

typedef enum { TRANSFER_BYTES, TRANSFER_MORE_TO_COME, TRANSFER_COMPLETE, TRANSFER_FAILED } transfer_supply;

/* For streams: TRANSFER_BYTES when the body has `wanted` bytes that were not taken yet (decoding some if need
 * be). After the end there may be fewer, beside TRANSFER_COMPLETE or TRANSFER_FAILED. Not from a libcurl
 * callback. */
transfer_supply transfer_available(transfer *t, size_t wanted);

/* ---- for pool.c, multi.c and transfer_options.c ---- */

void transfer_fail_memory(transfer *t);
void transfer_fail_with(transfer *t, const error *why);
void transfer_free_spares(transfer *first);

/* ---- between transfer.c, transfer_receive.c and transfer_failure.c ---- */

/* Sending it twice does no harm. */
bool transfer_is_idempotent(const transfer *t);

/* The place to write the failure to; the first failure stays. Never NULL. */
error *transfer_failure(transfer *t);

/* Sets the failure to the reason of the network's budget. */
void transfer_fail_refused(transfer *t);

/* Ends a running transfer at once, its failure being set; its operation completes. Not from a libcurl
 * callback. */
void transfer_stop(transfer *t);

/* Sets the clock anew after a limit came back into force. */
void transfer_watch_clock(transfer *t);

/* Another limit holds now, perhaps one that is due before the clock's. May be called by libcurl's callbacks.
 */
void transfer_limits_changed(transfer *t);

/* Sets the header lines on the easy handle. May be called by libcurl's callbacks. */
void transfer_set_lines(transfer *t);

/* Sets the address on the easy handle. False: out of memory, or the failure says why not. */
bool transfer_set_address(transfer *t);

/* Has transfers learn what happens on the TLS connections of an SSL_CTX. */
void transfer_watch_tls(void *context);

/* Whether another process or machine answers this request: a virtual run then waits for it. */
void transfer_set_external(transfer *t, bool external);

/* Connects the easy handle's callbacks to this transfer. */
void transfer_set_callbacks(transfer *t);

/* The response has no body, whatever its head says. */
bool transfer_has_no_body(const transfer *t);

/* Checks after a clean end that everything announced has arrived; else sets the failure. */
void transfer_check_complete(transfer *t);

#endif
