#include "net/transfer/transfer_tape.h"

#include <stdlib.h>
#include <string.h>

transfer_tape *transfer_tape_new(size_t most)
{
  transfer_tape *tape = calloc(1, sizeof *tape);
  if (!tape) return NULL;
  tape->references = 1;
  tape->most = most;
  return tape;
}

void transfer_tape_ref(transfer_tape *tape)
{
  if (tape) tape->references++;
}

void transfer_tape_unref(transfer_tape *tape)
{
  if (!tape || --tape->references) return;
  buffer_free(&tape->head);
  buffer_free(&tape->sent);
  buffer_free(&tape->received);
  buffer_free(&tape->pieces);
  free(tape);
}

/* A body that is cut would be another body. */
static bool append(transfer_tape *tape, buffer *to, const char *bytes, size_t length)
{
  if (tape->is_incomplete) return false;
  bool fits = length <= tape->most && to->length <= tape->most - length;
  tape->is_incomplete = !fits || !buffer_append(to, bytes, length);
  if (tape->is_incomplete) buffer_free(to);
  return !tape->is_incomplete;
}

void transfer_tape_sent(transfer_tape *tape, const char *bytes, size_t length)
{
  if (tape) append(tape, &tape->sent, bytes, length);
}

void transfer_tape_rewind(transfer_tape *tape)
{
  if (!tape) return;
  tape->sent.length = 0;
  tape->status = 0;
}

void transfer_tape_received(transfer_tape *tape, const char *bytes, size_t length, bool decoded)
{
  if (!tape) return;
  tape->decoded = decoded;
  if (!length || !append(tape, &tape->received, bytes, length)) return;
  size_t count = tape->pieces.length / sizeof(transfer_piece);
  transfer_piece *last = count ? (transfer_piece *)(void *)tape->pieces.bytes + count - 1 : NULL;
  if (last && last->at == tape->now) {
    last->length += length;
    return;
  }
  transfer_piece piece = {length, tape->now};
  if (!buffer_append(&tape->pieces, &piece, sizeof piece)) tape->is_incomplete = true;
}

void transfer_tape_head(transfer_tape *tape, const head *h)
{
  if (!tape) return;
  tape->status = h->status;
  tape->version = h->version;
  memcpy(tape->reason, h->reason, sizeof tape->reason);
  tape->head.length = 0;
  if (h->block.length && !buffer_append(&tape->head, h->block.bytes, h->block.length))
    tape->is_incomplete = true;
}

void transfer_tape_end(transfer_tape *tape, const head *h, const error *failure, bool is_whole)
{
  if (!tape) return;
  tape->ended = true;
  tape->is_whole = is_whole && !failure;
  tape->failed = failure != NULL;
  if (failure) tape->failure = *failure;
  if (h->complete) transfer_tape_head(tape, h);
}
