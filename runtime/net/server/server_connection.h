/* One accepted connection, plain or TLS: received bytes are gathered up to a mark (then the socket is left
 * alone, so the peer has to wait), bytes to send are kept until the socket takes them.
 *
 * Works on the socket itself under uv_poll: unlike uv_tcp_t, it can send without raising SIGPIPE in a program
 * that does not ignore it, and decides itself between FIN and RST. */
#ifndef LURCHER_NET_SERVER_CONNECTION_H
#define LURCHER_NET_SERVER_CONNECTION_H

#include "core/buffer.h"
#include "core/error.h"
#include "net/server/socket_group.h"
#include "net/server/tls_server.h"

typedef enum {
  CONNECTION_ANY,     /* at least one byte, at most `amount` */
  CONNECTION_EXACTLY, /* `amount` bytes */
  CONNECTION_LINE,    /* up to and with LF, at most `amount` bytes */
  CONNECTION_HEAD,   /* up to and with an empty line, at most `amount` bytes; empty lines in front are dropped
                      */
  CONNECTION_SECURE, /* the TLS handshake is over (at once on a plain connection) */
} connection_want;

typedef enum {
  CONNECTION_WAITING,
  CONNECTION_THERE,
  CONNECTION_TOO_LONG, /* more than `amount` came without the end of the line or head */
  CONNECTION_ENDED,    /* the peer sent FIN (or close_notify) before */
  CONNECTION_LATE,     /* the time limit passed before */
  CONNECTION_FAILED,   /* `fault` says why */
  CONNECTION_CLOSED,   /* by this side */
} connection_state;

typedef enum {
  CONNECTION_CLOSE_FIN,    /* what was written is sent, close_notify, FIN; input is swallowed for a while */
  CONNECTION_CLOSE_SILENT, /* the same without close_notify */
  CONNECTION_CLOSE_RESET,  /* RST; what was not sent yet is lost */
} connection_close_mode;

/* What may still come from the peer. */
typedef enum {
  INPUT_OPEN,
  INPUT_ENDED,   /* the peer sent FIN or close_notify */
  INPUT_BROKEN,  /* TLS cannot go on; `fault` says why. The socket is left alone */
  INPUT_FAILED,  /* the socket failed or ended too; `fault` says why */
  INPUT_DROPPED, /* this side has closed: what still comes is received and dropped */
  INPUT_OVER,    /* this side has closed, and nothing comes any more */
} connection_input;

/* What may still go to the peer. */
typedef enum {
  OUTPUT_OPEN,
  OUTPUT_CLOSING,  /* FIN follows what was written */
  OUTPUT_FINISHED, /* FIN was sent */
} connection_output;

typedef struct {
  uv_poll_t poll;
  socket_member member;
  socket_group *group;
  int socket; /* -1 once closed */
  int armed;  /* uv_poll events asked for */
  unsigned references;
  connection_input from_peer;
  connection_output to_peer;
  bool secure; /* the TLS handshake is over */
  bool late;   /* the time limit of the wait for input has passed */
  connection_want want;
  size_t amount;  /* of what is wanted */
  size_t taken;   /* bytes of `input` that were consumed */
  size_t scanned; /* bytes behind `taken` that need not be searched again */
  size_t sent;    /* bytes of `output` that were sent */
  buffer input, output;
  size_t held; /* what they take, as the loop's account has it */
  operation reading, writing;
  timer deadline, linger;
  tls_session *tls;
  error_kind fault_kind;
  char fault[96];
} server_connection;

/* A connection with one reference over a connected, non-blocking socket, which it owns from now on
 * (closed on failure too). `tls` may be NULL. NULL: out of memory, or the loop cannot watch the socket. */
server_connection *server_connection_new(socket_group *g, int socket, tls_server *tls);

/* Gives a reference back; the last one (not counting running operations) closes like CONNECTION_CLOSE_FIN. */
void server_connection_release(server_connection *c);

/* Says what is wanted next and whether it is there; THERE sets `length`. ENDED, LATE, FAILED and CLOSED are
 * returned only when what is wanted can no longer come; `length` is then what is left. */
connection_state server_connection_look(server_connection *c, connection_want want, size_t amount,
                                        size_t *length);

/* Waits until server_connection_look would no longer say WAITING for what was asked last; `seconds` limits
 * the wait (0: no limit). The operation keeps the connection alive. Only one at a time
 * (`reading.state` is OPERATION_IDLE). */
operation *server_connection_wait(server_connection *c, double seconds);

/* The bytes server_connection_look found; valid until the next call. */
const char *server_connection_input(const server_connection *c);
void server_connection_consume(server_connection *c, size_t length);

/* Sends bytes, or keeps a copy to send them as soon as possible. False: the connection is failed or
 * closed. */
bool server_connection_write(server_connection *c, const void *bytes, size_t length);

/* Whether more may be written: THERE, FAILED or CLOSED. */
connection_state server_connection_write_state(const server_connection *c);

/* All was given to the operating system (or never will be). */
bool server_connection_flushed(const server_connection *c);

/* Waits until server_connection_flushed. Keeps the connection alive. Only one at a time. */
operation *server_connection_flush(server_connection *c);

/* After a completed operation: puts it out of use and lets go of the connection. */
void server_connection_done(server_connection *c, operation *op);

/* Sends FIN (after what was written) and goes on reading. */
void server_connection_half_close(server_connection *c);

/* Never blocks; waiting operations complete with CLOSED. Further calls do nothing. */
void server_connection_close(server_connection *c, connection_close_mode mode);

/* The peer will send no more: it ended or reset the connection, or it is closed. */
bool server_connection_peer_gone(const server_connection *c);

/* "127.0.0.1:4321", or "" when unknown. */
void server_connection_remote_address(const server_connection *c, char *text, size_t size);

#endif
