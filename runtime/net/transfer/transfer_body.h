/* The reading of a response's body: as a stream, gathered, or thrown away. What is coded is decoded in steps,
 * between which other tasks and the limits of time have their turn. */
#ifndef LURCHER_NET_TRANSFER_BODY_H
#define LURCHER_NET_TRANSFER_BODY_H

#include "net/transfer/transfer.h"

typedef enum { TRANSFER_BYTES, TRANSFER_MORE_TO_COME, TRANSFER_COMPLETE, TRANSFER_FAILED } transfer_supply;

/* For streams: TRANSFER_BYTES when the body has `wanted` bytes that were not taken yet (decoding some if need
 * be). After the end there may be fewer, beside TRANSFER_COMPLETE or TRANSFER_FAILED. Not from a libcurl
 * callback. */
transfer_supply transfer_available(transfer *t, size_t wanted);

/* A stream of which nothing was taken yet is none any more: its operation, which must have begun, completes
 * when the whole body is there or failed, as that of a transfer without `streaming`. Not from a libcurl
 * callback. */
void transfer_gather(transfer *t);

/* The rest of a stream's body goes to a sink, which the transfer takes over: its operation, which must have
 * begun, completes when all of it was given there, or failed. Not from a libcurl callback. */
void transfer_pour(transfer *t, body_sink *sink);

/* The sink has room again (`why` NULL), or failed. Not from a libcurl callback. */
void transfer_go_on(transfer *t, const error *why);

/* Nobody wants the body of this stream, of which nothing was taken yet. What is left of it is only read, as
 * far as that is little and comes soon, so that the connection can serve again: true when the transfer's
 * operation, if it begins, will complete then; false when there is nothing to wait for. Not from a libcurl
 * callback. */
bool transfer_discard(transfer *t);

/* ---- for the other files of this room ---- */

/* Bytes of a body without `streaming` came: decodes a step. False: it failed. May be called by libcurl's
 * callbacks. */
bool transfer_decode(transfer *t);

/* The exchange is over. True: the body's bytes are not all decoded yet, so the operation completes later, in
 * the time that is left. */
bool transfer_decodes_rest(transfer *t);

/* The time is up: what was not decoded will not be. */
void transfer_body_give_up(transfer *t);

/* Ends the work on the body. */
void transfer_body_stop(transfer *t);

/* Whether so many more bytes of a body that is thrown away are too many. */
bool transfer_discards_enough(const transfer *t, size_t more);

#endif
