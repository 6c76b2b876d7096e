/* What went over the wire in one transfer, for somebody who looks at it afterwards: both bodies, the
 * response's as it was decoded, with the pieces in which it came, its head, and how it ended. */
#ifndef LURCHER_NET_TRANSFER_TAPE_H
#define LURCHER_NET_TRANSFER_TAPE_H

#include "core/buffer.h"
#include "core/error.h"
#include "format/http/head.h"

#include <stdint.h>

typedef struct {
  uint64_t length;
  uint64_t at; /* nanoseconds after the request was dispatched */
} transfer_piece;

typedef struct {
  unsigned references;
  size_t most;  /* bytes kept of each body */
  uint64_t now; /* of what is received next: nanoseconds after the request was dispatched */
  buffer head, sent, received;
  int status; /* 0: no head came */
  uint8_t version;
  char reason[HEAD_REASON_SIZE];
  buffer pieces;        /* of transfer_piece */
  bool is_incomplete;   /* a body was larger than `most`, or memory ran out */
  bool decoded;         /* `received` is not as it came */
  bool ended, is_whole; /* the transfer is gone; it had come to its end */
  bool failed;
  error failure; /* when it failed */
} transfer_tape;

/* Counts one reference. NULL: out of memory. */
transfer_tape *transfer_tape_new(size_t most);

void transfer_tape_ref(transfer_tape *tape);
void transfer_tape_unref(transfer_tape *tape);

/* What follows does nothing without a tape (NULL). */

void transfer_tape_sent(transfer_tape *tape, const char *bytes, size_t length);

/* The request goes out again, its body from its start. */
void transfer_tape_rewind(transfer_tape *tape);

/* The response's head is complete; the body may go on for long. */
void transfer_tape_head(transfer_tape *tape, const head *h);

/* Pieces of the same moment are one. `decoded`: the body did not come like this. */
void transfer_tape_received(transfer_tape *tape, const char *bytes, size_t length, bool decoded);

/* The transfer is gone. `failure`: NULL when it did not fail. */
void transfer_tape_end(transfer_tape *tape, const head *h, const error *failure, bool is_whole);

#endif
