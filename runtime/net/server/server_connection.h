/* One accepted connection, plain or TLS: received bytes are gathered up to a mark (then the socket is left
 * alone, so the peer has to wait), bytes to send are kept until the socket takes them.
 *
 * Works on the socket itself under uv_poll: unlike uv_tcp_t, it can send without raising SIGPIPE in a program
 * that does not ignore it, and decides itself between FIN and RST. */
#ifndef LURCHER_NET_STREAM_H
#define LURCHER_NET_STREAM_H

#include "core/buffer.h"
#include "core/error.h"
#include "net/server/socket_group.h"
#include "net/server/tls_server.h"

typedef enum {
  STREAM_ANY,     /* at least one byte, at most `amount` */
  STREAM_EXACTLY, /* `amount` bytes */
  STREAM_LINE,    /* up to and with LF, at most `amount` bytes */
  STREAM_HEAD,    /* up to and with an empty line, at most `amount` bytes; empty lines in front are dropped */
  STREAM_SECURE,  /* the TLS handshake is over (at once on a plain connection) */
} stream_want;

typedef enum {
  STREAM_WAITING,
  STREAM_THERE,
  STREAM_TOO_LONG, /* more than `amount` came without the end of the line or head */
  STREAM_ENDED,    /* the peer sent FIN (or close_notify) before */
  STREAM_LATE,     /* the time limit passed before */
  STREAM_FAILED,   /* stream_fault says why */
  STREAM_CLOSED,   /* by this side */
} stream_state;

typedef enum {
  STREAM_CLOSE_FIN,    /* what was written is sent, close_notify, FIN; input is swallowed for a while */
  STREAM_CLOSE_SILENT, /* the same without close_notify */
  STREAM_CLOSE_RESET,  /* RST; what was not sent yet is lost */
} stream_close_mode;

typedef struct {
  uv_poll_t poll;
  socket_member member;
  socket_group *group;
  int socket; /* -1 once closed */
  int armed;  /* uv_poll events asked for */
  unsigned references;
  bool ended, failed, late, closing, silent, half_closed, secure, finished_output;
  stream_want want;
  size_t amount;  /* of what is wanted */
  size_t taken;   /* bytes of `input` that were consumed */
  size_t scanned; /* bytes behind `taken` that need not be searched again */
  size_t sent;    /* bytes of `output` that were sent */
  buffer input, output;
  operation reading, writing;
  timer deadline, linger;
  tls_session *tls;
  error_kind fault_kind;
  char fault[96];
} stream;

/* A stream with one reference over a connected, non-blocking socket, which it owns from now on (closed on
 * failure too). `tls` may be NULL. NULL: out of memory, or the loop cannot watch the socket. */
stream *stream_new(socket_group *g, int socket, tls_server *tls);

/* Gives a reference back; the last one (not counting running operations) closes like STREAM_CLOSE_FIN. */
void stream_release(stream *s);

/* Says what is wanted next and whether it is there; THERE sets `length`. ENDED, LATE, FAILED and CLOSED are
 * told only when what is wanted can no longer come; `length` is then what is left. */
stream_state stream_look(stream *s, stream_want want, size_t amount, size_t *length);

/* Waits until stream_look would no longer say WAITING for what was asked last; `seconds` limits the wait (0:
 * no limit). The operation keeps the stream alive. Only one at a time (`reading.state` is OPERATION_IDLE). */
operation *stream_wait(stream *s, double seconds);

/* The bytes stream_look found; valid until the next call. */
const char *stream_input(const stream *s);
void stream_consume(stream *s, size_t length);

/* Sends bytes, or keeps a copy to send them as soon as possible. False: the stream is failed or closed. */
bool stream_write(stream *s, const void *bytes, size_t length);

/* All was given to the operating system (or never will be). */
bool stream_flushed(const stream *s);

/* Waits until stream_flushed. Keeps the stream alive. Only one at a time. */
operation *stream_flush(stream *s);

/* After a completed operation: puts it out of use and lets go of the stream. */
void stream_done(stream *s, operation *op);

/* Sends FIN (after what was written) and goes on reading. */
void stream_half_close(stream *s);

/* Never blocks; waiting operations complete with CLOSED. Further calls do nothing. */
void stream_close(stream *s, stream_close_mode mode);

/* The peer will send no more: it ended or reset the connection, or it is closed. */
bool stream_peer_gone(const stream *s);

/* "127.0.0.1:4321", or "" when unknown. */
void stream_remote_address(const stream *s, char *text, size_t size);

#endif
