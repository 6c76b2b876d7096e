/* libcurl uses one code for many faults (56 above all), and not the same one in every version. So a table
 * tells what a result means: by code, by libcurl's words, by where the transfer stood and by libcurl's
 * version. */
#include "net/transfer/transfer_failure.h"

#include "net/transfer/transfer_certificate.h"
#include "net/transfer/transfer_proxy.h"
#include "net/transfer/transfer_receive.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

/* ---- where the transfer stood ---- */

enum {
  CONNECTING = 1, /* nothing was sent yet */
  BEFORE_HEAD = 2,
  IN_BODY = 4, /* the head is complete */
  WHOLE = 8,   /* and all of the announced body came */
  ON_HTTP2 = 16,
  ON_TLS = 32,
  SILENT = 64, /* libcurl has no words for it */
  ALONE = 128  /* nor for another transfer of this multi in the same call; only asked for CURLE_HTTP2 */
};

static bool is_whole(const transfer *t)
{
  return t->response.head.content_length >= 0 &&
         t->response.bytes_received >= (uint64_t)t->response.head.content_length;
}

/* Whether libcurl had words for another transfer of the same multi, which had a connection, in the call it
 * just made. */
static bool others_were_told(const transfer *t, const multi_result *result)
{
  list_each (link, &t->pool->running) {
    const transfer *other = container_of(link, const transfer, admission.item.link);
    if (other != t && other->admission.multi == t->admission.multi && !other->request.played &&
        other->handle->hint[0] && other->exchange.connection != CONNECTION_NONE)
      return true;
  }
  return result->others_failed;
}

static unsigned place_of(const transfer *t, const multi_result *result)
{
  unsigned place = t->response.head.complete ? IN_BODY : BEFORE_HEAD;
  if (t->exchange.connection == CONNECTION_NONE) place |= CONNECTING;
  if (t->response.head.complete && is_whole(t)) place |= WHOLE;
  if (t->response.head.version == 20 || pool_origin_is_http2(&t->admission)) place |= ON_HTTP2;
  if (t->request.target.scheme.length == 5) place |= ON_TLS;
  if (!t->handle->hint[0]) place |= SILENT;
  if (result->code == CURLE_HTTP2 && !others_were_told(t, result)) place |= ALONE;
  return place;
}

/* ---- what is said of it ---- */

static bool says(const transfer *t, const char *words) { return strstr(t->handle->hint, words); }

static const char *host_of(const transfer *t) { return transfer_peer_name(t); }

static const char *phase_of(const transfer *t)
{
  return t->exchange.connection != CONNECTION_NONE ? "read" : "connect";
}

/* What libcurl and OpenSSL say, in words that help. The first that fits counts. */
static const struct {
  const char *theirs, *ours;
} translations[] = {
    {"HTTP/0.9",
     "what it sent is no HTTP response (does it speak TLS, https://, or something else than HTTP?)"},
    {"Unsupported HTTP version", "its status line is not that of an HTTP version there is"},
    {"Unsupported HTTP/", "its status line is not that of an HTTP version there is"},
    {"Unsupported protocol", "what it sent is no HTTP response"},
    {"Weird server reply", "what it sent makes no sense as an HTTP response"},
    {"Invalid status line", "what it sent makes no sense as an HTTP status line"},
    {"Header without colon", "it sent a header line without a colon"},
    {"wrong version number", "it does not speak TLS there: is http:// meant?"},
    {"packet length too long", "it does not speak TLS there: is http:// meant?"},
    {"http request", "it does not speak TLS there: is http:// meant?"},
    {"certificate required", "it wants a certificate of the client: give tls.cert and tls.key"},
    {"alert bad certificate", "it does not accept the client's certificate (tls.cert)"},
    {"alert unknown ca", "it does not know the authority of the client's certificate (tls.cert)"},
    {"alert certificate expired", "it finds that the client's certificate (tls.cert) has expired"},
    {"alert certificate revoked", "it finds that the client's certificate (tls.cert) is revoked"},
    {"alert certificate unknown", "it does not accept the client's certificate (tls.cert)"},
    {"alert unsupported certificate", "it cannot use the client's kind of certificate (tls.cert)"},
    {"alert access denied", "it denies access to the client, or to its certificate (tls.cert)"},
    {"alert handshake failure",
     "it sees no way to agree (alert handshake_failure): ciphers, versions of TLS, or "
     "a certificate of the client that it wants (tls.cert and tls.key)"},
    {"alert insufficient security", "it finds the ciphers that are offered too weak"},
    {"alert internal error",
     "it met an error of its own (alert internal_error): it may not know the host's name "
     "(tls.server_name sends another)"},
    {"unrecognized name", "it does not know the host's name (tls.server_name sends another)"},
    {"alert no application protocol",
     "it speaks none of the versions of HTTP that are offered (http_version)"},
    {"unsafe legacy renegotiation", "it is too old: it can only renegotiate in the old, unsafe way"},
    {"dh key too small", "its Diffie-Hellman key is too small to be safe"},
    {"unsupported protocol", "it knows no version of TLS that is allowed here (tls.min)"},
    {"alert protocol version", "it knows no version of TLS that is allowed here (tls.min)"},
};

static const char *words_of(const transfer *t, CURLcode code)
{
  const char *words = t->handle->hint[0] ? t->handle->hint : curl_easy_strerror(code);
  for (size_t i = 0; i < sizeof translations / sizeof *translations; i++)
    if (strstr(words, translations[i].theirs)) return translations[i].ours;
  const char *reason = strstr(words, "routines::"); /* "OpenSSL/3.0: error:0A00010B:SSL routines::reason" */
  return reason ? reason + strlen("routines::") : words;
}

typedef struct known_failure known_failure;

typedef void describe(const transfer *t, const known_failure *known, error *e);

typedef enum { UNSAFE, SAFE } repetition;

struct known_failure {
  CURLcode code;
  const char *name;
  const char *const *phrases; /* libcurl's words hold one of them; NULL: whatever it says */
  unsigned place;             /* all of these bits */
  unsigned since, before;     /* libcurl's versions; 0: all */
  error_kind kind;
  describe *describe;    /* sets message and phase; NULL: host and libcurl's words */
  repetition retry_safe; /* what was sent before a connection existed is so always */
};

static void in_words(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, phase_of(t), "%s: %s", host_of(t), words_of(t, known->code));
}

static void name_unknown(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "connect", "the name %.*s does not resolve", (int)t->request.target.host.length,
            url_bytes(&t->request.target, t->request.target.host));
}

static void not_connected(const transfer *t, const known_failure *known, error *e)
{
  long os_error = 0;
  const char *path = t->options->texts[OPTION_UNIX_SOCKET];
  curl_easy_getinfo(t->handle->easy, CURLINFO_OS_ERRNO, &os_error);
  if (path) {
    const char *name = os_error ? strerrorname_np((int)os_error) : NULL;
    error_set(e, known->kind, "connect", "cannot connect to the socket %s: %s%s%s", path, name ? name : "",
              name ? ": " : "", os_error ? strerror((int)os_error) : words_of(t, known->code));
    return;
  }
  error_set(e, known->kind, "connect", "cannot connect to %s: %s", host_of(t),
            os_error             ? strerror((int)os_error)
            : t->handle->hint[0] ? t->handle->hint
                                 : "no route");
}

/* Not a limit of ours, which transfer.c keeps: the kernel gave up. */
static void timed_out(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, phase_of(t), "the network timed out for %s", host_of(t));
}

static void continuation(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "read", "the server sent a continuation line where none may be (from %s)",
            host_of(t));
}

static void no_memory(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, phase_of(t), "out of memory");
}

static void long_line(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "read", "a header line of the response from %s is longer than %d bytes",
            host_of(t), CURL_MAX_HTTP_HEADER);
  e->limit = CURL_MAX_HTTP_HEADER;
  e->observed = CURL_MAX_HTTP_HEADER + 1; /* at least: it stops there */
}

static void many_headers(const transfer *t, const known_failure *known, error *e)
{
  const char *figure = strstr(t->handle->hint, "headers, ");
  size_t limit = 0;
  if (figure) sscanf(figure, "headers, %zu", &limit);
  error_set(e, known->kind, "read", "the response from %s has more than %zu header lines", host_of(t), limit);
  e->limit = (double)limit;
  e->observed = (double)limit + 1;
}

/* What libcurl itself has a limit for, whatever max_headers says. Its words tell the figures. */
static void large_head(const transfer *t, const known_failure *known, error *e)
{
  size_t observed = 0, limit = 0;
  error_set(e, known->kind, "read", "the response's head from %s is too large", host_of(t));
  const char *figures = strstr(t->handle->hint, "headers: ");
  if (!figures || sscanf(figures, "headers: %zu > %zu", &observed, &limit) != 2) return;
  error_set(e, known->kind, "read", "the response's headers from %s are larger than %zu bytes", host_of(t),
            limit);
  e->limit = (double)limit;
  e->observed = (double)observed;
}

static void no_chunks(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "write",
            "%s speaks HTTP/1.0, which knows no body whose length is not told at its start", host_of(t));
}

/* A closed or reset connection: what it means depends on how far the response had come. */
static void cut(const transfer *t, const known_failure *known, error *e)
{
  const char *how = says(t, "reset by peer") || says(t, "errno 104") ? "reset" : "closed";
  (void)known;
  if (t->response.head.complete) {
    error_set(e, ERROR_truncated, "read", "%s %s the connection after %llu bytes of the body", host_of(t),
              how, (unsigned long long)t->response.bytes_received);
  } else if (!transfer_request_is_sent(&t->request)) {
    char whole[32] = "";
    long long length = transfer_request_length(&t->request);
    if (length >= 0) snprintf(whole, sizeof whole, " of %lld", length);
    error_set(e, ERROR_closed, "write",
              "%s %s the connection after %llu%s bytes of the request's body were sent", host_of(t), how,
              (unsigned long long)t->exchange.uploaded, whole);
  } else {
    bool other = t->exchange.connection != CONNECTION_REUSED && !t->response.head.received &&
                 t->request.target.scheme.length == 4;
    error_set(e, ERROR_closed, "read", "%s %s the connection before the response's head was complete%s",
              host_of(t), how, other ? " (if it speaks TLS, the URL begins with https://)" : "");
  }
}

/* What is wrong with the certificate, by what it says itself. False: it is not that. */
static bool describe_certificate(const transfer *t, CURLcode code, bool of_proxy, char *text, size_t size)
{
  CURLINFO which = of_proxy ? CURLINFO_PROXY_SSL_VERIFYRESULT : CURLINFO_SSL_VERIFYRESULT;
  long result = X509_V_OK;
  if (says(t, "no alternative certificate subject name") || says(t, "does not match target host")) {
    certificate_describe_names(t, of_proxy, text, size);
    return true;
  }
  if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH) {
    certificate_describe_key(t, text, size);
    return true;
  }
  if (t->exchange.rejection != X509_V_OK) {
    certificate_describe(t, t->exchange.rejection, text, size);
    return true;
  }
  curl_easy_getinfo(t->handle->easy, which, &result);
  /* libcurl checks the host's name before it asks for the result: until then that is "unspecified". */
  bool checked = result != X509_V_OK && result != X509_V_ERR_UNSPECIFIED;
  if (code != CURLE_PEER_FAILED_VERIFICATION || !checked) return false;
  certificate_describe(t, result, text, size);
  return true;
}

const char *transfer_tls_reason(const transfer *t, CURLcode code, bool of_proxy)
{
  static _Thread_local char text[ERROR_MESSAGE_SIZE];
  return describe_certificate(t, code, of_proxy, text, sizeof text) ? text : words_of(t, code);
}

static void tls(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, phase_of(t), "TLS with %s failed: %s", host_of(t),
            transfer_tls_reason(t, known->code, false));
}

static void private_key(const transfer *t, const known_failure *known, error *e)
{
  const char *advice = t->options->texts[OPTION_KEY_PASSWORD]
                           ? "it is no key in PEM, or tls.key_password is wrong"
                           : "it is no key in PEM, or it is encrypted: then give tls.key_password";
  error_set(e, known->kind, phase_of(t), "TLS with %s failed: %s (%s)", host_of(t), t->handle->hint, advice);
}

static void broke_protocol(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "read", "%s broke the protocol: %s", host_of(t), words_of(t, known->code));
}

static void http2_stream_ended(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "read", "%s ended the HTTP/2 stream after %llu bytes of the body: %s", host_of(t),
            (unsigned long long)t->response.bytes_received, t->handle->hint);
}

static void http2_in_words(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "read", "HTTP/2 error from %s: %s", host_of(t), t->handle->hint);
}

static void http2_not_allowed(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "read", "HTTP/2 error from %s: it sent what HTTP/2 does not allow there",
            host_of(t));
}

static void http2_refused_stream(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "read", "HTTP/2 error from %s: it refuses the stream (REFUSED_STREAM)",
            host_of(t));
}

static void http2_turned_away(const transfer *t, const known_failure *known, error *e)
{
  error_set(e, known->kind, "read", "HTTP/2 error from %s: it turns requests away (GOAWAY)", host_of(t));
}

/* ---- the table ---- */

enum { LIBCURL_8 = 0x080000 };

static const char *const protocol_error[] = {"PROTOCOL_ERROR", NULL};
static const char *const too_many[] = {"oo many", NULL};
static const char *const retried_in_vain[] = {"onnection died, tried", NULL};
static const char *const cut_off[] = {"unexpected eof", "SSL_ERROR_SYSCALL", "errno 104",
                                      "errno 32",       "onnection reset",   "onnection was reset",
                                      "roken pipe",     "onnection died",    NULL};
static const char *const of_keys[] = {"private key file", NULL};
static const char *const of_tls[] = {"SSL", NULL};
static const char *const of_heads[] = {"oo large", "header", NULL};
static const char *const of_framing[] = {"chunk", "HTTP/2", "nghttp2", "frame", "stream", NULL};

/* clang-format off */
#define CODE(id) .code = CURLE_##id, .name = #id
#define ROW(id, error_kind) {CODE(id), .kind = ERROR_##error_kind}
#define TLS_ROW(id) {CODE(id), .kind = ERROR_tls, .describe = tls}

/* CURLE_TOO_LARGE, which the headers of libcurl before 8.6 do not have. */
#define TOO_LARGE .code = (CURLcode)100, .name = "TOO_LARGE"

/* An HTTP/2 stream that ended otherwise than it should. */
#define HTTP2_ROWS(id, where) \
    {CODE(id), .phrases = protocol_error, .place = (where) | WHOLE, .kind = ERROR_protocol, .describe = http2_in_words}, \
    {CODE(id), .place = (where) | IN_BODY, .kind = ERROR_truncated, .describe = http2_stream_ended}

/* The connection broke, or what came over it did. */
#define BROKEN_ROWS(id) \
    {CODE(id), .phrases = retried_in_vain, .place = ON_HTTP2 | BEFORE_HEAD, .kind = ERROR_protocol, \
     .describe = http2_refused_stream, .retry_safe = SAFE}, \
    {CODE(id), .phrases = cut_off, .place = CONNECTING | ON_TLS, .kind = ERROR_tls, .describe = tls}, \
    {CODE(id), .phrases = cut_off, .kind = ERROR_closed, .describe = cut}, \
    {CODE(id), .phrases = of_tls, .kind = ERROR_tls, .describe = tls}, \
    {CODE(id), .phrases = of_heads, .kind = ERROR_too_large, .describe = large_head}, \
    {CODE(id), .phrases = of_framing, .kind = ERROR_protocol, .describe = broke_protocol}, \
    {CODE(id), .kind = ERROR_closed, .describe = cut}

/* The first row that fits counts. */
static const known_failure known_failures[] = {
    ROW(UNSUPPORTED_PROTOCOL, protocol), /* HTTP/0.9 */
    ROW(URL_MALFORMAT, url),
    ROW(INTERFACE_FAILED, connect),
    ROW(WEIRD_SERVER_REPLY, protocol),
    {CODE(COULDNT_RESOLVE_HOST), .kind = ERROR_dns, .describe = name_unknown},
    {CODE(COULDNT_CONNECT), .kind = ERROR_connect, .describe = not_connected},
    {CODE(OPERATION_TIMEDOUT), .kind = ERROR_timeout, .describe = timed_out},

    /* What libcurl says to a head that begins with a continuation line. */
    {CODE(BAD_FUNCTION_ARGUMENT), .kind = ERROR_protocol, .describe = continuation},

    /* What libcurl says to a header line over 100 KB, before 8.6 and since. */
    {CODE(OUT_OF_MEMORY), .place = CONNECTING, .kind = ERROR_limit, .describe = no_memory},
    {CODE(OUT_OF_MEMORY), .kind = ERROR_too_large, .describe = long_line},
    {TOO_LARGE, .phrases = too_many, .kind = ERROR_too_large, .describe = many_headers},
    {TOO_LARGE, .phrases = of_heads, .kind = ERROR_too_large, .describe = large_head},
    {TOO_LARGE, .kind = ERROR_too_large, .describe = long_line},

    TLS_ROW(SSL_CONNECT_ERROR),
    {CODE(SSL_CERTPROBLEM), .phrases = of_keys, .kind = ERROR_tls, .describe = private_key},
    TLS_ROW(SSL_CERTPROBLEM),
    TLS_ROW(SSL_CIPHER),
    TLS_ROW(PEER_FAILED_VERIFICATION),
    TLS_ROW(SSL_CACERT_BADFILE),
    TLS_ROW(SSL_PINNEDPUBKEYNOTMATCH),
    TLS_ROW(SSL_ENGINE_INITFAILED),
    TLS_ROW(USE_SSL_FAILED),

    {CODE(UPLOAD_FAILED), .kind = ERROR_protocol, .describe = no_chunks},
    {CODE(PARTIAL_FILE), .kind = ERROR_truncated, .describe = cut},
    {CODE(SEND_FAIL_REWIND), .kind = ERROR_closed, .describe = cut},
    BROKEN_ROWS(SEND_ERROR),
    BROKEN_ROWS(RECV_ERROR),

    HTTP2_ROWS(GOT_NOTHING, ON_HTTP2),
    {CODE(GOT_NOTHING), .place = ON_HTTP2, .kind = ERROR_protocol, .describe = http2_not_allowed},
    {CODE(GOT_NOTHING), .kind = ERROR_closed, .describe = cut},
    HTTP2_ROWS(HTTP2_STREAM, 0),
    {CODE(HTTP2_STREAM), .kind = ERROR_protocol, .describe = http2_in_words},
    HTTP2_ROWS(HTTP2, 0),
    /* libcurl 7.88: only what GOAWAY turns away has this code and no words: the server has not looked at it.
     * When a connection breaks, one of its streams has the words for all. libcurl 8 repeats what is turned
     * away by itself, and says nothing when a connection closes: what it carried may have been processed. */
    {CODE(HTTP2), .place = SILENT | ALONE, .before = LIBCURL_8, .kind = ERROR_protocol,
     .describe = http2_turned_away, .retry_safe = SAFE},
    {CODE(HTTP2), .place = SILENT, .since = LIBCURL_8, .kind = ERROR_closed, .describe = cut},
    {CODE(HTTP2), .kind = ERROR_protocol, .describe = http2_in_words},
};
/* clang-format on */

static bool has_phrase(const transfer *t, const char *const *phrases)
{
  for (; *phrases; phrases++)
    if (says(t, *phrases)) return true;
  return false;
}

bool transfer_says_cut(const transfer *t)
{
  return t->exchange.rejection == X509_V_OK && (!t->handle->hint[0] || has_phrase(t, cut_off));
}

static unsigned libcurl_version(void) { return curl_version_info(CURLVERSION_NOW)->version_num; }

static bool failure_fits(const known_failure *known, const transfer *t, CURLcode code, unsigned place)
{
  if (known->code != code || (known->place & ~place)) return false;
  if (known->phrases && !has_phrase(t, known->phrases)) return false;
  if (known->since && libcurl_version() < known->since) return false;
  return !known->before || libcurl_version() < known->before;
}

static const known_failure *find(const transfer *t, const multi_result *result)
{
  unsigned place = place_of(t, result);
  for (size_t i = 0; i < sizeof known_failures / sizeof *known_failures; i++)
    if (failure_fits(&known_failures[i], t, result->code, place)) return &known_failures[i];
  return NULL;
}

void transfer_fail_stream(transfer *t)
{
  static const known_failure refused = {.kind = ERROR_protocol};
  error *e = transfer_failure(t);
  http2_refused_stream(t, &refused, e);
  e->code = "HTTP2";
  e->retry_safe = true;
}

/* By the host: of what the other addresses did less can be said. */
static bool was_refused(transfer *t)
{
  if (!t->handle->refusal || t->exchange.connection != CONNECTION_NONE) return false;
  *transfer_failure(t) = *t->handle->refusal;
  return true;
}

void transfer_failure_set(transfer *t, const multi_result *result)
{
  t->exchange.rejection = (int)transfer_take_rejection();
  if (t->failure || was_refused(t) || transfer_proxy_failed(t, result->code)) return;
  const known_failure unknown = {.code = result->code, .kind = ERROR_protocol}, *known = find(t, result);
  if (!known) known = &unknown;
  error *e = transfer_failure(t);
  (known->describe ? known->describe : in_words)(t, known, e);
  e->code = known->name;
  /* Nothing was sent before it was connected. */
  e->retry_safe = t->exchange.connection == CONNECTION_NONE || known->retry_safe == SAFE;
}
