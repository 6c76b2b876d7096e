/* A transfer that the program answers itself, in place of libcurl and a server: request.played, what mocks
 * do.
 *
 * Everything around it stays: it waits in its pool for a slot and its rate, its limits of time hold, and what
 * it is answered is parsed, decoded, bounded, streamed and counted as what a server sends. It begins with
 * completing its operation; then its rider connects, reads the request's body, gives head and body, and ends
 * it or lets it fail. */
#ifndef LURCHER_NET_TRANSFER_PLAYED_H
#define LURCHER_NET_TRANSFER_PLAYED_H

#include "net/transfer/transfer.h"

/* It holds a slot: of the transfer's own parts. */
void transfer_played_begin(transfer *t);

/* What follows is for the rider of a running transfer. Each may end it.
 *
 * The connection is there: from now on the limits of writing and reading hold. */
void transfer_played_connect(transfer *t);

/* Copies up to `room` bytes of the request's body. After UPLOAD_LATER `more` is called. */
upload_state transfer_played_read(transfer *t, char *to, size_t room, size_t *got);

/* The head of a response as it would come over a connection, status line to empty line; of one status from
 * 100 to 199 as well. False: it is none, and the transfer has ended. */
bool transfer_played_head(transfer *t, const char *bytes, size_t length);

/* So much of the body was not taken yet that `more` has to be waited for. */
bool transfer_played_is_full(transfer *t);

/* Some of the body, as it would come without chunked framing. False: the transfer has ended. */
bool transfer_played_body(transfer *t, const char *bytes, size_t length);

/* The server has sent all it would; the body may be incomplete. */
void transfer_played_end(transfer *t);

/* Ends it with that failure. */
void transfer_played_fail(transfer *t, const error *why);

#endif
