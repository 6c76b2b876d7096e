/* What a transfer asks for. */
#ifndef LURCHER_NET_TRANSFER_REQUEST_H
#define LURCHER_NET_TRANSFER_REQUEST_H

#include "format/url/url.h"
#include "net/curl/header_list.h"

enum { TRANSFER_METHOD_SIZE = 24, TRANSFER_STATUSES = 1000 };

typedef struct {
  char method[TRANSFER_METHOD_SIZE];
  url target;
  header_list *headers; /* counted */
  const char *upload;   /* borrowed until the end, unless upload_copy holds it; NULL: no body */
  size_t upload_length;
  char *upload_copy; /* freed with the transfer */
  uint64_t deadline; /* time; 0: the option `total` from dispatch on */
  bool streaming, expect_continue;
  bool connect_only; /* only a connection is made, for something else than a request: transfer.rider */

  /* Of statuses that may mean that the response is not for the script: TRANSFER_STATUSES bits, borrowed until
   * the head is there. Such a response becomes a stream; `streaming` tells. NULL: none. */
  const unsigned char *undecided;
} transfer_request;

/* Keeps a copy of the body to send, which is only borrowed. False: out of memory. */
bool transfer_request_keep_upload(transfer_request *r);

/* Sending it twice does no harm. */
bool transfer_request_is_idempotent(const transfer_request *r);

/* It has a body, perhaps of no bytes: methods that mean a body say so when there is none. */
bool transfer_request_sends_body(const transfer_request *r);

#endif
