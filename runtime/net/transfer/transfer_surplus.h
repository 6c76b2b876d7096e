/* What a peer sends behind an HTTP/1 response: nobody asked for it, and it would be taken for the answer to
 * the next request of the connection. */
#ifndef LURCHER_NET_TRANSFER_SURPLUS_H
#define LURCHER_NET_TRANSFER_SURPLUS_H

#include "net/transfer/transfer.h"

/* CURLOPT_DEBUGFUNCTION, its data being the transfer. libcurl calls it while CURLOPT_VERBOSE is set, which it
 * is for few lines. */
int surplus_on_debug(CURL *easy, curl_infotype type, char *bytes, size_t length, void *user);

/* After a line of a head, but for those in its midst, which change nothing: behind the first header, before
 * the last line. `was_in_head`: what `head.in_head` was before it. */
void surplus_watch_line(transfer *t, bool was_in_head);

/* Before each piece of the body is taken. */
void surplus_watch_body(transfer *t, const char *bytes);

/* The exchange went well, and libcurl has let go of its connection: ends that if there is more on it. Not
 * from within a libcurl callback. */
void surplus_check(transfer *t);

#endif
