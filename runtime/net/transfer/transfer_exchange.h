/* A transfer at work in libcurl: from its start on a multi to its end. */
#ifndef LURCHER_NET_TRANSFER_EXCHANGE_H
#define LURCHER_NET_TRANSFER_EXCHANGE_H

#include "core/buffer.h"
#include "core/error.h"
#include "core/loop/loop.h"
#include "net/curl/multi.h"
#include "net/transfer/upload.h"

enum { TRANSFER_ADDRESS_SIZE = 48 };

struct transfer;

/* libcurl's side of a transfer, made when it first runs: tens of thousands may wait. Kept when the transfer
 * is recycled. */
typedef struct {
  char remote_address[TRANSFER_ADDRESS_SIZE];
  char hint[CURL_ERROR_SIZE]; /* libcurl's words on what failed since it was connected */
  CURL *easy;                 /* the transfer_options are set on it */
  uint32_t address_path;      /* where the path of `address_text` begins; 0: set it as a whole next time */
  uint32_t buffer;            /* the size of its receive buffer … */
  const char *buffer_start;   /* … and where that is, of transfer_nudge.c; only compared */
  uint32_t read_end,
      read_length;             /* of what libcurl has read at once: the end of the last piece, all so far */
  CURLU *address;              /* its URL, once it is used again */
  buffer address_text;         /* the URL that was set on it */
  struct transfer_file *files; /* of transfer_files.c; NULL: nothing is guarded */
  int socket_place;   /* of transfer_permit.c: a descriptor + 1 by which a Unix socket is named; 0: none */
  error *refusal;     /* of an address that the host does not permit; NULL: none */
  const multi *multi; /* what was set on it last; only compared */
  const struct curl_slist *lines; /* … of headers; those for a proxy are set anew each time */
  bool used, has_address;
  bool ran_alone;  /* without a share */
  bool is_virtual; /* its limits are on the virtual clock, which libcurl does not know */
} transfer_handle;

/* What its connection is, as far as it was asked; with CONNECTION_NONE nothing was sent. */
typedef enum {
  CONNECTION_NONE,   /* there was none */
  CONNECTION_SOME,   /* new or used before */
  CONNECTION_REUSED, /* known at the end */
} transfer_connection;

typedef enum {
  FLOW_NONE, /* libcurl does not have it */
  FLOW_ON,
  FLOW_PAUSED, /* its reader is slow */
} transfer_flow;

/* Tens of thousands may be under way, so every byte counts. */
typedef struct {
  timer clock;            /* the next limit of time */
  deferred turn;          /* the next step of decoding */
  uint64_t active_at;     /* when a byte last moved */
  uint64_t discard_until; /* 0: the body is wanted */
  uint64_t starved_at;    /* since when it waits for a file descriptor; 0: it does not */
  uint64_t uploaded;
  uint64_t bytes_sent;
  struct curl_slist *connect_to, *host_line; /* for the option server_name */
  CURLSH *share;                             /* what it will begin with */
  uint16_t remote_port, local_port;
  uint8_t connection : 4;       /* a transfer_connection */
  uint8_t flow : 4;             /* a transfer_flow */
  bool expectation_refused : 1; /* by a 417, and libcurl did not make the request again yet */
  bool is_stream : 1;           /* counted as one of HTTP/2 */
  bool ended_by_head : 1;       /* no more than the head of the response was wanted */
  bool wants_login : 1;         /* its proxy answered CONNECT with 407: that is the head of the response */
  bool upload_waits : 1;        /* libcurl waits for more of the body */
  bool prepares : 1;            /* files of the body are looked at, before libcurl gets it */
  bool external : 1;            /* counted in the loop's external_requests */

  /* Of transfer_receive.c and transfer_surplus.c. */
  bool close_notified : 1;        /* only known of TLS bodies without length */
  bool first_header_expected : 1; /* next, on a handle that was used before */
  bool verbose : 1;               /* CURLOPT_VERBOSE is set */
  bool looks_up : 1;              /* its name is looked up anew */
  bool held : 1;                  /* it was paused once */
  bool given_up : 1;              /* what libcurl still hands over is thrown away */
  bool rides : 1;                 /* a stream of a connection that exists is all it may have */
  bool surplus : 1;               /* there was none, and it may make no connection: it waits */
  bool stale : 1;                 /* libcurl gave it a connection that cannot be used any more */
  bool permitted : 1;             /* the address of the socket that was made last was asked for */
  bool body_apart : 1;            /* the body may not have come with the head */

  /* Of transfer_nudge.c. */
  bool was_full : 1;     /* what came last filled the buffer */
  bool may_lack_end : 1; /* what came last is the rest of what the buffer could not hold */

  bool is_authority : 1;    /* of transfer_certificate.c: `certificate` is one further up */
  int rejection;            /* why a certificate was; X509_V_OK: none was */
  unsigned answered_before; /* by its origin group when it was dispatched */
  unsigned begun_call;      /* the multi's call in which it got its connection … */
  unsigned first_call;      /* … and in which the head began */
  uint64_t nudged_at;       /* of transfer_nudge.c: when the peer was last asked, or could not be */

  void *certificate; /* X509: the server's own, or the one that was refused */
  void *session;     /* SSL; NULL: no TLS, HTTP/2, or no head yet */
  uint64_t framed;   /* bytes of the body with its framing; 0: not counted */
} transfer_exchange;

/* Looks at the files of its body, see upload_prepare. After UPLOAD_LATER transfer_begin is called. */
upload_state transfer_exchange_prepare(struct transfer *t);

/* Gives the request, whose body is prepared, to libcurl. False: out of memory, or the failure says why not.
 */
bool transfer_exchange_begin(struct transfer *t, CURLSH *share);

/* Takes the easy handle back from libcurl, if that ever got it. `clean`: the exchange went well. Not from a
 * libcurl callback. */
void transfer_exchange_end(struct transfer *t, bool clean);

/* For a transfer with request.connect_only that is connected: a descriptor of its connection, which lives on
 * while libcurl lets go of all that it holds, 10 KB; so that is for connections without TLS. The caller
 * closes it. -1: none was left. Not from a libcurl callback. */
int transfer_exchange_detach(struct transfer *t);

/* Notes what only libcurl knows of an exchange that is over. */
void transfer_exchange_collect(struct transfer *t);

/* Sets the header lines on the easy handle. May be called by libcurl's callbacks. */
void transfer_exchange_set_lines(struct transfer *t);

void transfer_handle_free(transfer_handle *h);

#endif
