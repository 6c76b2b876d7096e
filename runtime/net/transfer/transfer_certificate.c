#include "net/transfer/transfer_certificate.h"

#include "net/transfer/transfer.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>

/* ---- which one it is ---- */

/* Where an SSL_CTX keeps the easy handle that it was made for; libcurl uses the application's own place. */
static int easy_index;
static pthread_once_t easy_once = PTHREAD_ONCE_INIT;

static void make_easy_index(void) { easy_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL); }

static transfer *transfer_of_store(X509_STORE_CTX *store)
{
  multi_job *job = NULL;
  const SSL *session = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  CURL *easy = session ? SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), easy_index) : NULL;
  if (easy) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &job);
  return job ? container_of(job, transfer, job) : NULL;
}

/* Called for each certificate, the server's own last, and where one is refused. Decides nothing. */
static int on_certificate(int accepted, X509_STORE_CTX *store)
{
  transfer *t = transfer_of_store(store);
  X509 *certificate = X509_STORE_CTX_get_current_cert(store);
  bool is_last = !accepted || X509_STORE_CTX_get_error_depth(store) == 0;
  if (!t || !certificate || !is_last) return accepted;
  certificate_forget(t);
  X509_up_ref(certificate);
  t->exchange.certificate = certificate;
  t->exchange.is_authority = X509_STORE_CTX_get_error_depth(store) > 0;
  return accepted;
}

void certificate_watch(CURL *easy, void *context)
{
  pthread_once(&easy_once, make_easy_index);
  if (SSL_CTX_set_ex_data(context, easy_index, easy))
    SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), on_certificate);
}

void certificate_forget(transfer *t)
{
  X509_free(t->exchange.certificate);
  t->exchange.certificate = NULL;
}

/* ---- what it says ---- */

enum { MAX_NAMES = 6, MAX_NAME = 64 };

typedef struct {
  char *text;
  size_t length, size;
} words;

/* Bytes of the peer: what is no plain ASCII becomes "?". */
static void add(words *w, const char *bytes, size_t length)
{
  for (size_t i = 0; i < length && w->length + 1 < w->size; i++)
    w->text[w->length++] = bytes[i] >= ' ' && bytes[i] < 127 ? bytes[i] : '?';
  w->text[w->length] = 0;
}

static void say(words *w, const char *text) { add(w, text, strlen(text)); }

static void add_bio(words *w, BIO *bio)
{
  char *bytes = NULL;
  long length = BIO_get_mem_data(bio, &bytes);
  if (length > 0) add(w, bytes, (size_t)length < 2 * MAX_NAME ? (size_t)length : 2 * MAX_NAME);
  BIO_free(bio);
}

static void add_time(words *w, const ASN1_TIME *time)
{
  BIO *bio = BIO_new(BIO_s_mem());
  if (bio && ASN1_TIME_print_ex(bio, time, ASN1_DTFLGS_ISO8601) == 1) {
    add_bio(w, bio);
  } else {
    BIO_free(bio);
    say(w, "a date that cannot be read");
  }
}

/* "CN=x,O=y". */
static void add_subject(words *w, const X509_NAME *name)
{
  BIO *bio = BIO_new(BIO_s_mem());
  if (!bio) return;
  X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
  say(w, "\"");
  add_bio(w, bio);
  say(w, "\"");
}

static void add_address(words *w, const unsigned char *bytes, size_t length)
{
  char text[16 * 3];
  uv_inet_ntop(length == 16 ? AF_INET6 : AF_INET, bytes, text, sizeof text);
  say(w, length == 4 || length == 16 ? text : "?");
}

static void add_name(words *w, const GENERAL_NAME *name)
{
  const ASN1_STRING *value = name->type == GEN_IPADD ? name->d.iPAddress : name->d.dNSName;
  size_t length = (size_t)ASN1_STRING_length(value);
  if (name->type == GEN_IPADD)
    add_address(w, ASN1_STRING_get0_data(value), length);
  else
    add(w, (const char *)ASN1_STRING_get0_data(value), length < MAX_NAME ? length : MAX_NAME);
}

static void add_more(words *w, int more)
{
  char text[32];
  snprintf(text, sizeof text, " and %d more", more);
  if (more > 0) say(w, text);
}

/* False: it has none. */
static bool add_alternative_names(words *w, const X509 *certificate)
{
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  int count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    if (++count > MAX_NAMES) continue;
    if (count > 1) say(w, ", ");
    add_name(w, name);
  }
  add_more(w, count - MAX_NAMES);
  GENERAL_NAMES_free(names);
  return count > 0;
}

/* The name that the certificate has to be for. */
static void add_host(words *w, const transfer *t)
{
  const char *name = t->options->texts[OPTION_SERVER_NAME];
  const url *u = &t->request.target;
  if (name)
    say(w, name);
  else
    add(w, url_bytes(u, u->host), u->host.length);
}

/* ---- why it was refused ---- */

static words words_in(char *text, size_t size)
{
  *text = 0;
  return (words){text, 0, size};
}

void certificate_describe_names(const transfer *t, bool of_proxy, char *text, size_t size)
{
  words w = words_in(text, size);
  const X509 *c = t->exchange.certificate;
  say(&w, "wrong host: the certificate is not for ");
  if (of_proxy)
    say(&w, "the proxy's name");
  else
    add_host(&w, t);
  if (!c) return;
  say(&w, " but for ");
  if (!add_alternative_names(&w, c)) add_subject(&w, X509_get_subject_name(c));
  if (!of_proxy && !t->options->texts[OPTION_SERVER_NAME])
    say(&w, " (tls.server_name asks for another name)");
}

static void describe_issuer(words *w, const X509 *c, long reason)
{
  say(w, "unknown issuer (");
  if (reason == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
    say(w, "it is self-signed; to trust it, give it as tls.ca)");
    return;
  }
  if (c) add_subject(w, X509_get_issuer_name(c));
  say(w, reason == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
             ? ", self-signed, is no authority that is trusted; give it as tls.ca)"
             : " is no authority that is trusted, or the server does not send a certificate between; give "
               "tls.ca)");
}

static void describe_dates(words *w, const transfer *t, bool expired)
{
  const X509 *c = t->exchange.certificate;
  say(w, t->exchange.is_authority ? "the certificate of its authority " : "the certificate ");
  if (c && t->exchange.is_authority) {
    add_subject(w, X509_get_subject_name(c));
    say(w, " ");
  }
  say(w, expired ? "has expired" : "is not yet valid");
  if (!c) return;
  say(w, expired ? " on " : ": it will be from ");
  add_time(w, expired ? X509_get0_notAfter(c) : X509_get0_notBefore(c));
  if (!expired) say(w, " on (is this machine's clock right?)");
}

void certificate_describe(const transfer *t, long reason, char *text, size_t size)
{
  words w = words_in(text, size);
  switch (reason) {
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    describe_issuer(&w, t->exchange.certificate, reason);
    return;
  case X509_V_ERR_CERT_HAS_EXPIRED:
    describe_dates(&w, t, true);
    return;
  case X509_V_ERR_CERT_NOT_YET_VALID:
    describe_dates(&w, t, false);
    return;
  }
  say(&w, X509_verify_cert_error_string(reason));
}

void certificate_describe_key(const transfer *t, char *text, size_t size)
{
  words w = words_in(text, size);
  unsigned char hash[EVP_MAX_MD_SIZE], base64[2 * EVP_MAX_MD_SIZE], *key = NULL;
  unsigned length = 0;
  int size_of_key = 0;
  say(&w, "the server's public key is none of tls.pins");
  if (t->exchange.certificate)
    size_of_key = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(t->exchange.certificate), &key);
  if (size_of_key > 0 && EVP_Digest(key, (size_t)size_of_key, hash, &length, EVP_sha256(), NULL)) {
    EVP_EncodeBlock(base64, hash, (int)length);
    say(&w, " but sha256//");
    say(&w, (const char *)base64);
  }
  OPENSSL_free(key);
}
