#include "net/server/tls_server.h"

#include "core/file/guarded.h"
#include "net/server/self_signed.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_server {
  SSL_CTX *context;
  char *certificate;
  unsigned references;
  size_t protocols_length;
  unsigned char protocols[255];
};

struct tls_session {
  SSL *ssl;
  BIO *in, *out; /* owned by ssl */
  tls_server *server;
  char fault[96];
};

/* ---- faults ---- */

/* The error queue belongs to the thread, and libcurl's TLS uses it too: it is emptied before each call. */
static const char *last_reason(void)
{
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "unknown reason";
}

/* What came first: later ones only say in which part ("PEM lib"). */
static const char *first_reason(void)
{
  unsigned long first = ERR_peek_error();
  if (ERR_SYSTEM_ERROR(first)) return strerror(ERR_GET_REASON(first));
  const char *reason = ERR_reason_error_string(first);
  return reason ? reason : "unknown reason";
}

static tls_server *refuse(tls_server *t, error *e, const char *what, const char *file)
{
  error_set(e, ERROR_tls, NULL, "cannot use %s%s%s: %s", what, file ? " " : "",
            file ? guarded_name(file) : "", first_reason());
  tls_server_unref(t);
  return NULL;
}

/* ---- configuration ---- */

static const struct {
  const char *name;
  int number;
} versions[] = {
    {"1.0", TLS1_VERSION},
    {"1.1", TLS1_1_VERSION},
    {"1.2", TLS1_2_VERSION},
    {"1.3", TLS1_3_VERSION},
};
enum { VERSION_COUNT = sizeof versions / sizeof *versions };

static int version_number(const char *name)
{
  for (size_t i = 0; i < VERSION_COUNT; i++)
    if (!strcmp(versions[i].name, name)) return versions[i].number;
  return -1;
}

static bool set_versions(SSL_CTX *context, const tls_server_options *options, error *e)
{
  const char *names[] = {options->min_version, options->max_version};
  for (int i = 0; i < 2; i++) {
    int number = names[i] ? version_number(names[i]) : 0;
    if (number < 0) {
      error_set(e, ERROR_tls, NULL, "unknown TLS version '%s' (known are 1.0, 1.1, 1.2 and 1.3)", names[i]);
      return false;
    }
    if (i == 0)
      SSL_CTX_set_min_proto_version(context, number);
    else
      SSL_CTX_set_max_proto_version(context, number);
  }
  return true;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *offered, unsigned offered_length, void *user)
{
  tls_server *t = user;
  unsigned char *chosen;
  (void)ssl;
  if (SSL_select_next_proto(&chosen, out_length, t->protocols, (unsigned)t->protocols_length, offered,
                            offered_length) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static bool use_self_signed(tls_server *t, const tls_server_options *options)
{
  EVP_PKEY *key = NULL;
  X509 *certificate = NULL;
  bool done = self_signed_new(options->names, options->expires_in, &key, &certificate) &&
              SSL_CTX_use_certificate(t->context, certificate) == 1 &&
              SSL_CTX_use_PrivateKey(t->context, key) == 1 && (t->certificate = self_signed_pem(certificate));
  X509_free(certificate);
  EVP_PKEY_free(key);
  return done;
}

/* There is no option for it; OpenSSL's own would ask on the terminal, and the loop would wait. */
static int no_password(char *password, int size, int is_for_writing, void *user)
{
  (void)password;
  (void)size;
  (void)is_for_writing;
  (void)user;
  return -1;
}

/* OpenSSL opens by name. A guarded path is held meanwhile, so that no link leads elsewhere. */
static bool use_file(SSL_CTX *context, const char *path, int (*use)(SSL_CTX *, const char *))
{
  guarded_hold h;
  if (!is_guarded(path)) return use(context, path) == 1;
  if (guarded_hold_open(&h, path) < 0) {
    ERR_raise(ERR_LIB_BIO, errno == ENOENT ? BIO_R_NO_SUCH_FILE : ERR_R_SYS_LIB);
    return false;
  }
  bool well = use(context, h.name) == 1;
  guarded_hold_close(&h);
  return well;
}

static int use_key(SSL_CTX *context, const char *path)
{
  return SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM);
}

static int use_client_authorities(SSL_CTX *context, const char *path)
{
  return SSL_CTX_load_verify_locations(context, path, NULL);
}

tls_server *tls_server_new(const tls_server_options *options, error *e)
{
  ERR_clear_error();
  tls_server *t = calloc(1, sizeof *t);
  if (!t) {
    error_set(e, ERROR_tls, NULL, "out of memory");
    return NULL;
  }
  t->references = 1;
  t->context = SSL_CTX_new(TLS_server_method());
  if (!t->context) return refuse(t, e, "TLS", NULL);
  /* What a client makes of old versions, weak keys and SHA-1 is for the client to say, so all is offered. */
  SSL_CTX_set_security_level(t->context, 0);
  SSL_CTX_set_mode(t->context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_options(t->context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_default_passwd_cb(t->context, no_password);
  if (!set_versions(t->context, options, e)) {
    tls_server_unref(t);
    return NULL;
  }
  if (!options->certificate) {
    if (!use_self_signed(t, options)) return refuse(t, e, "a self-signed certificate", NULL);
  } else {
    const char *key = options->key ? options->key : options->certificate;
    if (!use_file(t->context, options->certificate, SSL_CTX_use_certificate_chain_file))
      return refuse(t, e, "the certificate", options->certificate);
    if (!use_file(t->context, key, use_key)) return refuse(t, e, "the private key", key);
  }
  if (options->client_ca) {
    if (!use_file(t->context, options->client_ca, use_client_authorities))
      return refuse(t, e, "the CA file", options->client_ca);
    SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  }
  SSL_CTX_set_session_id_context(t->context, (const unsigned char *)"lurcher", 7);
  if (options->protocols) {
    t->protocols_length = options->protocols_length;
    memcpy(t->protocols, options->protocols, options->protocols_length);
    SSL_CTX_set_alpn_select_cb(t->context, choose_protocol, t);
  }
  return t;
}

tls_server *tls_server_ref(tls_server *t)
{
  t->references++;
  return t;
}

void tls_server_unref(tls_server *t)
{
  if (--t->references > 0) return;
  SSL_CTX_free(t->context);
  free(t->certificate);
  free(t);
}

const char *tls_server_certificate(const tls_server *t) { return t->certificate; }

/* ---- one connection ---- */

tls_session *tls_session_new(tls_server *server)
{
  tls_session *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->ssl = SSL_new(server->context);
  t->in = BIO_new(BIO_s_mem());
  t->out = BIO_new(BIO_s_mem());
  if (!t->ssl || !t->in || !t->out) {
    SSL_free(t->ssl);
    BIO_free(t->in);
    BIO_free(t->out);
    free(t);
    return NULL;
  }
  BIO_set_mem_eof_return(t->in, -1); /* empty means "more to come" */
  SSL_set_bio(t->ssl, t->in, t->out);
  SSL_set_accept_state(t->ssl);
  t->server = tls_server_ref(server);
  return t;
}

void tls_session_free(tls_session *t)
{
  SSL_free(t->ssl);
  tls_server_unref(t->server);
  free(t);
}

bool tls_session_feed(tls_session *t, const char *bytes, size_t length)
{
  return BIO_write(t->in, bytes, (int)length) == (int)length;
}

void tls_session_feed_end(tls_session *t) { BIO_set_mem_eof_return(t->in, 0); }

static tls_state judge(tls_session *t, int result)
{
  switch (SSL_get_error(t->ssl, result)) {
  case SSL_ERROR_NONE:
    return TLS_READY;
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE:
    return TLS_WAITING;
  case SSL_ERROR_ZERO_RETURN:
    return TLS_ENDED;
  default:
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
      snprintf(t->fault, sizeof t->fault, "the client closed the connection without close_notify");
    else
      snprintf(t->fault, sizeof t->fault, "%s", last_reason());
    ERR_clear_error();
    return TLS_BROKEN;
  }
}

tls_state tls_session_handshake(tls_session *t)
{
  ERR_clear_error();
  return judge(t, SSL_do_handshake(t->ssl));
}

tls_state tls_session_read(tls_session *t, char *bytes, size_t size, size_t *got)
{
  ERR_clear_error();
  return judge(t, SSL_read_ex(t->ssl, bytes, size, got));
}

tls_state tls_session_write(tls_session *t, const char *bytes, size_t length)
{
  ERR_clear_error();
  while (length) {
    size_t taken = 0;
    tls_state state = judge(t, SSL_write_ex(t->ssl, bytes, length, &taken));
    if (state != TLS_READY) return state;
    bytes += taken;
    length -= taken;
  }
  return TLS_READY;
}

void tls_session_end(tls_session *t)
{
  ERR_clear_error();
  SSL_shutdown(t->ssl);
  ERR_clear_error();
}

size_t tls_session_output(tls_session *t, const char **bytes)
{
  char *data;
  long length = BIO_get_mem_data(t->out, &data);
  *bytes = data;
  return length > 0 ? (size_t)length : 0;
}

void tls_session_output_taken(tls_session *t) { (void)BIO_reset(t->out); }

const char *tls_session_fault(const tls_session *t) { return t->fault; }

tls_description tls_session_describe(const tls_session *t)
{
  tls_description d = {.server_name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name),
                       .resumed = SSL_session_reused(t->ssl)};
  int number = SSL_version(t->ssl);
  for (size_t i = 0; i < VERSION_COUNT; i++)
    if (versions[i].number == number) d.version = versions[i].name;
  const unsigned char *protocol;
  unsigned length;
  SSL_get0_alpn_selected(t->ssl, &protocol, &length);
  d.protocol = (const char *)protocol;
  d.protocol_length = length;
  return d;
}
