/* From libcurl's results to the runtime's kinds. libcurl 7.88 uses one code for many faults (56 above all),
 * so where the transfer stood decides, and sometimes libcurl's words. */
#include "net/transfer/transfer.h"

#include "core/container_of.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  CURLcode code;
  const char *name;
  error_kind kind;
} known_code;

/* Codes whose kind does not depend on where the transfer stood. */
static const known_code known_codes[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, "UNSUPPORTED_PROTOCOL", ERROR_protocol}, /* HTTP/0.9 */
    {CURLE_URL_MALFORMAT, "URL_MALFORMAT", ERROR_url},
    {CURLE_COULDNT_RESOLVE_HOST, "COULDNT_RESOLVE_HOST", ERROR_dns},
    {CURLE_COULDNT_CONNECT, "COULDNT_CONNECT", ERROR_connect},
    {CURLE_INTERFACE_FAILED, "INTERFACE_FAILED", ERROR_connect},
    {CURLE_WEIRD_SERVER_REPLY, "WEIRD_SERVER_REPLY", ERROR_protocol},
    {CURLE_HTTP2, "HTTP2", ERROR_protocol},
    {CURLE_HTTP2_STREAM, "HTTP2_STREAM", ERROR_protocol},
    {CURLE_BAD_FUNCTION_ARGUMENT, "BAD_FUNCTION_ARGUMENT", ERROR_protocol},
    {CURLE_OUT_OF_MEMORY, "OUT_OF_MEMORY", ERROR_limit},
    {CURLE_SSL_CONNECT_ERROR, "SSL_CONNECT_ERROR", ERROR_tls},
    {CURLE_SSL_CERTPROBLEM, "SSL_CERTPROBLEM", ERROR_tls},
    {CURLE_SSL_CIPHER, "SSL_CIPHER", ERROR_tls},
    {CURLE_PEER_FAILED_VERIFICATION, "PEER_FAILED_VERIFICATION", ERROR_tls},
    {CURLE_SSL_CACERT_BADFILE, "SSL_CACERT_BADFILE", ERROR_tls},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, "SSL_PINNEDPUBKEYNOTMATCH", ERROR_tls},
    {CURLE_SSL_ENGINE_INITFAILED, "SSL_ENGINE_INITFAILED", ERROR_tls},
    {CURLE_USE_SSL_FAILED, "USE_SSL_FAILED", ERROR_tls},
    {CURLE_PARTIAL_FILE, "PARTIAL_FILE", ERROR_truncated},
    {CURLE_GOT_NOTHING, "GOT_NOTHING", ERROR_closed},
    {CURLE_SEND_ERROR, "SEND_ERROR", ERROR_closed},
    {CURLE_RECV_ERROR, "RECV_ERROR", ERROR_closed},
    {CURLE_SEND_FAIL_REWIND, "SEND_FAIL_REWIND", ERROR_closed},
    {CURLE_OPERATION_TIMEDOUT, "OPERATION_TIMEDOUT", ERROR_timeout},
};

static const known_code *find_code(CURLcode code)
{
  for (size_t i = 0; i < sizeof known_codes / sizeof *known_codes; i++)
    if (known_codes[i].code == code) return &known_codes[i];
  return NULL;
}

static bool says(const transfer *t, const char *words) { return strstr(t->handle->hint, words); }

/* A closed or reset connection: what it means depends on how far the response had come. */
static void cut(transfer *t, error *e)
{
  const char *how = says(t, "reset by peer") || says(t, "errno 104") ? "reset" : "closed";
  if (t->head.complete) {
    error_set(e, ERROR_truncated, "read", "%s %s the connection after %llu bytes of the body",
              origin_name(t->admission.origin), how, (unsigned long long)t->bytes_received);
  } else if (t->uploaded < t->upload_length) {
    error_set(e, ERROR_closed, "write",
              "%s %s the connection after %zu of %zu bytes of the request's body were sent",
              origin_name(t->admission.origin), how, t->uploaded, t->upload_length);
  } else {
    error_set(e, ERROR_closed, "read", "%s %s the connection before the response's head was complete",
              origin_name(t->admission.origin), how);
  }
}

/* "certificate has expired" and the like, from OpenSSL; libcurl's words otherwise. */
static const char *tls_reason(const transfer *t, CURLcode code)
{
  long result = X509_V_OK;
  if (says(t, "no alternative certificate subject name") || says(t, "does not match target host"))
    return "wrong host: the certificate is for another name";
  if (t->easy_in_multi) curl_easy_getinfo(t->handle->easy, CURLINFO_SSL_VERIFYRESULT, &result);
  /* libcurl checks the host's name before it asks for the result: until then that is "unspecified". */
  bool checked = result != X509_V_OK && result != X509_V_ERR_UNSPECIFIED;
  if (code == CURLE_PEER_FAILED_VERIFICATION && checked) {
    switch (result) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "unknown issuer (self-signed, or its authority is not trusted; give tls.ca)";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the certificate has expired";
    }
    return X509_verify_cert_error_string(result);
  }
  if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH) return "the server's public key is none of tls.pins";
  return t->handle->hint[0] ? t->handle->hint : curl_easy_strerror(code);
}

static void tls(transfer *t, CURLcode code, error *e)
{
  error_set(e, ERROR_tls, t->connected ? "read" : "connect", "TLS with %s failed: %s",
            origin_name(t->admission.origin), tls_reason(t, code));
}

static bool is_http2(const transfer *t)
{
  return t->head.version == 20 || origin_group_is_http2(t->admission.group);
}

/* What libcurl itself has a limit for, whatever max_headers says. Its words tell the figures. */
static void large_head(const transfer *t, error *e)
{
  size_t observed = 0, limit = 0;
  error_set(e, ERROR_too_large, "read", "the response's head from %s is too large",
            origin_name(t->admission.origin));
  const char *figures = strstr(t->handle->hint, "headers: ");
  if (!figures || sscanf(figures, "headers: %zu > %zu", &observed, &limit) != 2) return;
  error_set(e, ERROR_too_large, "read", "the response's headers from %s are larger than %zu bytes",
            origin_name(t->admission.origin), limit);
  e->limit = (double)limit;
  e->observed = (double)observed;
}

/* Codes 55 and 56: the connection broke, or what came over it did. */
static void broken(transfer *t, CURLcode code, error *e)
{
  bool cut_off = says(t, "unexpected eof") || says(t, "SSL_ERROR_SYSCALL") || says(t, "errno 104") ||
                 says(t, "errno 32") || says(t, "onnection reset") || says(t, "onnection was reset") ||
                 says(t, "roken pipe") || says(t, "onnection died");
  if (is_http2(t) && !t->head.complete && says(t, "onnection died, tried")) {
    error_set(e, ERROR_protocol, "read", "HTTP/2 error from %s: it refuses the stream (REFUSED_STREAM)",
              origin_name(t->admission.origin));
    e->retry_safe = t->fresh;
  } else if (cut_off && !t->connected && t->target.scheme.length == 5)
    tls(t, code, e);
  else if (cut_off)
    cut(t, e);
  else if (says(t, "SSL"))
    tls(t, code, e);
  else if (says(t, "oo large") || says(t, "header"))
    large_head(t, e);
  else if (says(t, "chunk") || says(t, "HTTP/2") || says(t, "nghttp2") || says(t, "frame") ||
           says(t, "stream"))
    error_set(e, ERROR_protocol, "read", "%s broke the protocol: %s", origin_name(t->admission.origin),
              t->handle->hint);
  else
    cut(t, e);
}

/* Whether libcurl had words for another transfer of the same multi in the call it just made. */
static bool others_were_told(const transfer *t, const multi_result *result)
{
  for (const queue_item *item = t->pool->running; item; item = item->next) {
    const transfer *other = container_of(item, const transfer, admission.item);
    if (other != t && other->admission.multi == t->admission.multi && other->handle->hint[0]) return true;
  }
  return result->others_failed;
}

static void http2(transfer *t, const multi_result *result, error *e)
{
  CURLcode code = result->code;
  const char *host = origin_name(t->admission.origin), *hint = t->handle->hint;
  bool whole = t->head.content_length >= 0 && t->bytes_received >= (uint64_t)t->head.content_length;
  if (t->head.complete && !(whole && says(t, "PROTOCOL_ERROR"))) {
    error_set(e, ERROR_truncated, "read", "%s ended the HTTP/2 stream after %llu bytes of the body: %s", host,
              (unsigned long long)t->bytes_received, hint);
    return;
  }
  /* Only what GOAWAY turns away has this code and no words: the server has not looked at it. When a
   * connection breaks, one of its streams has the words for all. */
  bool turned_away = code == CURLE_HTTP2 && !hint[0] && !others_were_told(t, result);
  error_set(e, ERROR_protocol, "read", "HTTP/2 error from %s: %s", host,
            turned_away                 ? "it turns requests away (GOAWAY)"
            : code == CURLE_GOT_NOTHING ? "it sent what HTTP/2 does not allow there"
                                        : hint);
  e->retry_safe = turned_away;
}

static void from_code(transfer *t, const multi_result *result, const known_code *known, error *e)
{
  CURLcode code = result->code;
  const char *host = origin_name(t->admission.origin);
  const char *phase = t->connected ? "read" : "connect";
  long os_error = 0;
  if (t->easy_in_multi) curl_easy_getinfo(t->handle->easy, CURLINFO_OS_ERRNO, &os_error);
  switch (code) {
  case CURLE_COULDNT_RESOLVE_HOST:
    error_set(e, ERROR_dns, "connect", "the name %.*s does not resolve", (int)t->target.host.length,
              url_bytes(&t->target, t->target.host));
    break;
  case CURLE_COULDNT_CONNECT:
    error_set(e, ERROR_connect, "connect", "cannot connect to %s: %s", host,
              os_error             ? strerror((int)os_error)
              : t->handle->hint[0] ? t->handle->hint
                                   : "no route");
    break;
  case CURLE_OPERATION_TIMEDOUT: /* not ours, which transfer.c keeps: the kernel gave up */
    error_set(e, ERROR_timeout, phase, "the network timed out for %s", host);
    break;
  case CURLE_BAD_FUNCTION_ARGUMENT: /* what libcurl says to a head that begins with a continuation line */
    error_set(e, ERROR_protocol, "read", "the server sent a continuation line where none may be (from %s)",
              host);
    break;
  case CURLE_OUT_OF_MEMORY: /* what libcurl says to a header line over 100 KB */
    if (t->connected) {
      error_set(e, ERROR_too_large, "read", "a header line of the response from %s is longer than %d bytes",
                host, CURL_MAX_HTTP_HEADER);
      e->limit = CURL_MAX_HTTP_HEADER;
      e->observed = CURL_MAX_HTTP_HEADER + 1; /* at least: it stops there */
    } else
      error_set(e, ERROR_limit, phase, "out of memory");
    break;
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
    http2(t, result, e);
    break;
  case CURLE_PARTIAL_FILE:
  case CURLE_SEND_FAIL_REWIND:
    cut(t, e);
    break;
  case CURLE_GOT_NOTHING:
    if (is_http2(t))
      http2(t, result, e);
    else
      cut(t, e);
    break;
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
    broken(t, code, e);
    break;
  default:
    if (known && known->kind == ERROR_tls)
      tls(t, code, e);
    else
      error_set(e, known ? known->kind : ERROR_protocol, phase, "%s: %s", host,
                t->handle->hint[0] ? t->handle->hint : curl_easy_strerror(code));
  }
}

void failure_from_curl(transfer *t, const multi_result *result)
{
  if (t->failure) return;
  const known_code *known = find_code(result->code);
  error *e = transfer_failure(t);
  from_code(t, result, known, e);
  e->code = known ? known->name : NULL;
  /* Nothing was sent yet. */
  if (!t->connected) e->retry_safe = true;
}
