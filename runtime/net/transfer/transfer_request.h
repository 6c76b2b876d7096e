/* What a transfer asks for. */
#ifndef LURCHER_NET_TRANSFER_REQUEST_H
#define LURCHER_NET_TRANSFER_REQUEST_H

#include "format/url/url.h"
#include "net/curl/header_list.h"
#include "net/transfer/transfer_progress.h"
#include "net/transfer/upload.h"

enum { TRANSFER_METHOD_SIZE = 24, TRANSFER_STATUSES = 1000 };

typedef struct {
  char method[TRANSFER_METHOD_SIZE];
  url target;
  header_list *headers;        /* counted */
  upload *upload;              /* counted; NULL: no body */
  uint64_t deadline;           /* time; 0: the option `total` from dispatch on */
  transfer_progress *progress; /* counted; NULL: nobody looks */
  bool streaming, expect_continue;
  bool played;       /* by the program, in place of libcurl: transfer_played.h */
  bool connect_only; /* only a connection is made, for something else than a request: transfer.rider */

  /* Of statuses that may mean that the response is not for the script: TRANSFER_STATUSES bits, borrowed until
   * the head is there. Such a response becomes a stream; `streaming` tells. NULL: none. */
  const unsigned char *undecided;
} transfer_request;

/* The bytes that its body has, 0 for none; -1: only known at the end. */
int64_t transfer_request_length(const transfer_request *r);

/* All of its body was given to libcurl. */
bool transfer_request_is_sent(const transfer_request *r);

/* Sending it twice does no harm. */
bool transfer_request_is_idempotent(const transfer_request *r);

/* It has a body, perhaps of no bytes: methods that mean a body say so when there is none. */
bool transfer_request_sends_body(const transfer_request *r);

#endif
