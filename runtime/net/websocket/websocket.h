/* A WebSocket, from the client's side (RFC 6455, RFC 7692).
 *
 *   websocket_new → bytes of the handshake, by websocket_handshake_* → websocket_begin
 *   → websocket_send, websocket_take, websocket_close → websocket_free
 *
 * What its user waits for are operations, which its user owns the waits of: `receiving`, `closing`, and one
 * of its own for each that waits to send (a websocket_turn). When the connection is over, however, all of
 * them complete, and websocket_end tells how it was. */
#ifndef LURCHER_NET_WEBSOCKET_H
#define LURCHER_NET_WEBSOCKET_H

#include "core/byte_queue.h"
#include "format/websocket/websocket_reader.h"
#include "net/websocket/websocket_carrier.h"
#include "net/websocket/websocket_handshake.h"

typedef struct websocket websocket;
typedef struct websocket_message websocket_message;
typedef struct websocket_turn websocket_turn;

typedef enum {
  WEBSOCKET_SHAKING, /* its user reads and writes bytes */
  WEBSOCKET_OPEN,
  WEBSOCKET_CLOSING, /* a close frame was sent, or is about to be */
  WEBSOCKET_OVER
} websocket_state;

typedef struct {
  size_t max_message;
  uint64_t ping, write; /* nanoseconds; 0: no pings, no limit */
  bool deflates;
  websocket_deflate_options deflate;
} websocket_options;

struct websocket_message {
  websocket_message *next;
  websocket_opcode opcode;
  size_t length;
  char *bytes; /* behind the struct, or allocated */
  bool is_apart;
};

/* One that waits to send. */
struct websocket_turn {
  operation op;
  list_link link;
};

struct websocket {
  websocket_carrier carrier;
  loop *loop;
  loop_clock *time;
  websocket_state state;
  websocket_options options;
  websocket_handshake *handshake; /* NULL: not begun, or over */
  websocket_reader reader;
  size_t input_limit;               /* in the handshake */
  byte_queue input;                 /* bytes of the handshake, or of frames that wait for room */
  websocket_message *first, **last; /* messages that nobody took yet, … */
  size_t queued;                    /* … and how much they hold */
  byte_queue output;
  size_t held;       /* by all of these, as the loop's account has it */
  linked_list turns; /* websocket_turn.link */
  timer clock, patience;
  uint64_t heard_at, pinged_at, stuck_at; /* time; pinged_at 0: no ping is out; stuck_at 0: nothing waits */
  uint64_t close_due;
  bool ended_input, external, answered_close;
  unsigned char pong_length; /* 255: none is due */
  char pong[WEBSOCKET_MAX_CONTROL];
  operation receiving, closing;
  bool has_patience;
  uint64_t patience_limit; /* nanoseconds: of whoever receives, if has_patience */
  void *user;

  /* How it ended. */
  unsigned code, sent_code;
  char reason[WEBSOCKET_MAX_REASON + 1];
  size_t reason_length;
  error *failure; /* NULL: the other side closed it */
};

/* Takes over a connected transfer, even when it fails. NULL: out of memory, or no connection any more. */
websocket *websocket_new(transfer *t);
void websocket_free(websocket *w);

/* Queues bytes of the handshake. False: out of memory. */
bool websocket_handshake_write(websocket *w, const char *bytes, size_t length);

/* Looks for the head of the answer in what came; w->handshake has it. */
handshake_state websocket_handshake_read(websocket *w, size_t max_headers, error *e);

/* The handshake is over; what came behind it are frames. False: out of memory. */
bool websocket_begin(websocket *w, const websocket_options *options);

/* No more messages come; those that came are there to be taken. */
static inline bool websocket_has_ended(const websocket *w)
{
  return w->state == WEBSOCKET_OVER || w->answered_close || (w->state == WEBSOCKET_SHAKING && w->ended_input);
}

/* The next message, which the caller frees; NULL: none is there. */
websocket_message *websocket_take(websocket *w);
void websocket_message_free(websocket_message *m);

typedef enum { WEBSOCKET_SENT, WEBSOCKET_WAIT, WEBSOCKET_REFUSED, WEBSOCKET_SEND_NO_MEMORY } websocket_sent;

/* Queues a message as a whole. WEBSOCKET_WAIT: the other side is slow; wait for a turn and try again. */
websocket_sent websocket_send(websocket *w, websocket_opcode opcode, const char *bytes, size_t length);

/* Waits for room to send: the turn's operation, which has begun, completes. */
void websocket_await_turn(websocket *w, websocket_turn *turn);

/* Sends a close frame and waits for the other side's, but not for ever: `closing` completes. */
void websocket_close(websocket *w, unsigned code, const char *reason, size_t length);

/* Closes it at once. `code` is sent when that is possible without waiting; 0: none. */
void websocket_abort(websocket *w, unsigned code);

/* Whether a task waits for the other side or not: virtual time must not pass it by. */
void websocket_note_waiting(websocket *w);

#endif
