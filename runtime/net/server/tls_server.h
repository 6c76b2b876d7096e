/* The server's side of TLS, by OpenSSL over memory: bytes go in, bytes come out, the socket is elsewhere. */
#ifndef LURCHER_NET_TLS_SERVER_H
#define LURCHER_NET_TLS_SERVER_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *certificate;  /* PEM file (chain); NULL: a self-signed certificate is made */
  const char *key;          /* PEM file; NULL: in the certificate's file */
  const char *client_ca;    /* PEM file; set: clients must show a certificate signed by it */
  const char *const *names; /* NULL-ended DNS names and addresses for the self-signed certificate */
  double expires_in;        /* seconds the self-signed certificate is valid for; negative: expired already */
  const char *min_version;  /* "1.0" … "1.3", or NULL */
  const char *max_version;  /* the same */
  const unsigned char *protocols; /* ALPN in wire format, the server's preference first; NULL: none */
  size_t protocols_length;        /* at most 255 */
} tls_server_options;

typedef struct tls_server tls_server;
typedef struct tls_session tls_session;

/* A configuration with one reference, or NULL and the error (kind "tls"). Loads files without waiting for the
 * loop: call it at start only. */
tls_server *tls_server_new(const tls_server_options *options, error *e);
tls_server *tls_server_ref(tls_server *t);
void tls_server_unref(tls_server *t);

/* The self-signed certificate in PEM, owned by `t`; NULL when files were given. */
const char *tls_server_certificate(const tls_server *t);

typedef enum {
  TLS_READY,
  TLS_WAITING, /* for more bytes from the peer */
  TLS_ENDED,   /* close_notify came */
  TLS_BROKEN,  /* tls_session_fault says why; what tls_session_output has (an alert) should still be sent */
} tls_state;

/* One connection; takes a reference to `t`. NULL: out of memory. */
tls_session *tls_session_new(tls_server *t);
void tls_session_free(tls_session *t);

/* Bytes from the socket. False: out of memory. */
bool tls_session_feed(tls_session *t, const char *bytes, size_t length);

/* The peer's FIN came. */
void tls_session_feed_end(tls_session *t);

tls_state tls_session_handshake(tls_session *t);

/* READY: *got bytes (at least 1) were put into `bytes`. */
tls_state tls_session_read(tls_session *t, char *bytes, size_t size, size_t *got);

/* Encrypts all of it; the handshake must be over. */
tls_state tls_session_write(tls_session *t, const char *bytes, size_t length);

/* Makes a close_notify, once the handshake is over. */
void tls_session_end(tls_session *t);

/* Bytes for the socket, valid until the next call; tls_session_output_taken removes all of them. */
size_t tls_session_output(tls_session *t, const char **bytes);
void tls_session_output_taken(tls_session *t);

const char *tls_session_fault(const tls_session *t);

typedef struct {
  const char *version;     /* "1.3" */
  const char *server_name; /* asked for by SNI; NULL: none */
  const char *protocol;    /* agreed on by ALPN, not NUL-terminated */
  size_t protocol_length;  /* 0: none */
  bool resumed;            /* an earlier session was taken up again */
} tls_description;

/* What the handshake brought; valid as long as the session. */
tls_description tls_session_describe(const tls_session *t);

#endif
