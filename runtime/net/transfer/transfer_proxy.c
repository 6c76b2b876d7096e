#include "net/transfer/transfer_proxy.h"

#include "net/transfer/transfer_failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *proxy_text(const transfer_options *o) { return o->texts[OPTION_PROXY]; }

static bool has_scheme(const transfer_options *o, const char *scheme)
{
  const char *proxy = proxy_text(o);
  return proxy && !strncmp(proxy, scheme, strlen(scheme));
}

bool transfer_proxy_is_https(const transfer_options *o) { return has_scheme(o, "https://"); }
static bool is_socks(const transfer_options *o) { return has_scheme(o, "socks"); }

/* ---- options ---- */

/* NULL: leaves the option as it is. False: out of memory. */
static bool set_proxy_text(CURL *easy, CURLoption option, const char *text)
{
  return !text || curl_easy_setopt(easy, option, text) != CURLE_OUT_OF_MEMORY;
}

static bool set_proxy_tls(const transfer_options *o, CURL *easy)
{
  const char *ca = o->texts[OPTION_PROXY_CA];
  struct stat status;
  curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, transfer_options_tls_version(o->proxy_tls_min));
  curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, o->proxy_verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, o->proxy_verify ? 2L : 0L);
  if (!o->texts[OPTION_PROXY_KEY_PASSWORD] && !set_proxy_text(easy, CURLOPT_PROXY_KEYPASSWD, ""))
    return false;
  if (!ca) return true;
  curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
  if (stat(ca, &status) || !S_ISDIR(status.st_mode)) return set_proxy_text(easy, CURLOPT_PROXY_CAINFO, ca);
  curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
  return set_proxy_text(easy, CURLOPT_PROXY_CAPATH, ca);
}

/* An HTTP proxy is told its credentials by a header, which is made anew for what it asks; libcurl would know
 * no SHA-512-256, and send each request twice. */
static bool set_proxy_credentials(const transfer_options *o, CURL *easy)
{
  if (!is_socks(o) || !o->texts[OPTION_PROXY_USER]) return true;
  curl_easy_setopt(easy, CURLOPT_SOCKS5_AUTH, (long)CURLAUTH_BASIC);
  return set_proxy_text(easy, CURLOPT_PROXYUSERNAME, o->texts[OPTION_PROXY_USER]) &&
         set_proxy_text(easy, CURLOPT_PROXYPASSWORD,
                        o->texts[OPTION_PROXY_PASSWORD] ? o->texts[OPTION_PROXY_PASSWORD] : "");
}

/* Empty settings keep libcurl from searching the environment, which it also reads wrongly. */
bool transfer_proxy_set(const transfer_options *o, CURL *easy)
{
  const char *proxy = proxy_text(o);
  if (!set_proxy_text(easy, CURLOPT_NOPROXY, "") || !set_proxy_text(easy, CURLOPT_PROXY, proxy ? proxy : ""))
    return false;
  if (!proxy) return true;
  curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  /* HTTP/2 without TLS is no HTTP proxy's language. */
  if (o->version == HTTP_2_PRIOR_KNOWLEDGE) curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
  return set_proxy_credentials(o, easy) && (!transfer_proxy_is_https(o) || set_proxy_tls(o, easy));
}

/* ---- names ---- */

/* "host:port" */
static const char *proxy_name(const transfer *t) { return strstr(proxy_text(t->options), "://") + 3; }

const char *transfer_peer_name(const transfer *t)
{
  static _Thread_local char name[2 * 300];
  if (!proxy_text(t->options)) return pool_origin_name(&t->admission);
  snprintf(name, sizeof name, "%s (through the proxy %s)", pool_origin_name(&t->admission), proxy_name(t));
  return name;
}

/* ---- CONNECT ---- */

/* Sets the failure, unless there is one. Nothing of the request was sent as long as no tunnel was there. */
static error *proxy_fail(transfer *t, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static error *proxy_fail(transfer *t, const char *code, const char *format, ...)
{
  char text[ERROR_MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  error_format(text, sizeof text, format, arguments);
  va_end(arguments);
  error *e = transfer_failure(t);
  error_set(e, ERROR_proxy, "connect", "%s", text);
  e->code = code;
  e->retry_safe = t->exchange.connection == CONNECTION_NONE;
  return e;
}

static const char *server_name_of(const transfer *t) { return pool_origin_name(&t->admission); }

static void fail_refused(transfer *t)
{
  const head *h = &t->response.head;
  proxy_fail(t, "RECV_ERROR", "the proxy %s refused a tunnel to %s: %d%s%s%s", proxy_name(t),
             server_name_of(t), h->status, *h->reason ? " " : "", h->reason,
             h->status == 407 ? " (it wants credentials: give them, or others, in the proxy's URL)" : "");
  t->exchange.wants_login = h->status == 407;
}

static void fail_broken(transfer *t, const error *why)
{
  error *e = proxy_fail(t, "RECV_ERROR", "what the proxy %s answered to CONNECT cannot be used: %.*s%s",
                        proxy_name(t), SHORTENED(why->message, 300));
  if (why->kind != ERROR_too_large) return;
  e->kind = ERROR_too_large;
  e->limit = why->limit;
  e->observed = why->observed;
}

bool transfer_proxy_line(transfer *t, const char *line, size_t length)
{
  head *h = &t->response.head;
  error e;
  if (!head_line(h, line, length, &e)) {
    fail_broken(t, &e);
    return false;
  }
  if (!h->complete || h->status / 100 == 2) return true;
  fail_refused(t);
  return false;
}

void transfer_proxy_passed(transfer *t)
{
  if (!t->job.opened) return;
  t->job.opened = false;
  if (!t->response.head.received) return;
  head_reset(&t->response.head);
  t->times.first_byte = 0;
}

/* ---- SOCKS ---- */

/* By CURLINFO_PROXY_ERROR. */
static const struct {
  long code;
  const char *words;
  bool not_connected;
} socks_failures[] = {
    {CURLPX_REPLY_GENERAL_SERVER_FAILURE, "it failed (reply 1)", false},
    {CURLPX_REPLY_NOT_ALLOWED, "its rules do not allow it (reply 2)", false},
    {CURLPX_REPLY_NETWORK_UNREACHABLE, "the network is unreachable (reply 3)", true},
    {CURLPX_REPLY_HOST_UNREACHABLE, "the host is unreachable (reply 4)", true},
    {CURLPX_REPLY_CONNECTION_REFUSED, "the connection was refused (reply 5)", true},
    {CURLPX_REPLY_TTL_EXPIRED, "the TTL expired on the way (reply 6)", true},
    {CURLPX_REPLY_COMMAND_NOT_SUPPORTED, "it does not know the command (reply 7)", false},
    {CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED, "it does not know this type of address (reply 8)", false},
    {CURLPX_REPLY_UNASSIGNED, "its reply is none there is", false},
    {CURLPX_USER_REJECTED, "it does not accept user name and password", false},
    {CURLPX_NO_AUTH, "it wants another authentication (a user name and password?)", false},
    {CURLPX_BAD_VERSION, "what it answers is not SOCKS 5", false},
    {CURLPX_BAD_ADDRESS_TYPE, "the address in its reply is of no type there is", false},
    {CURLPX_CLOSED, "it closed the connection", false},
    {CURLPX_RECV_ADDRESS, "it closed the connection in the middle of its reply", false},
    {CURLPX_RECV_AUTH, "it closed the connection while it was authenticated to", false},
    {CURLPX_RECV_CONNECT, "it closed the connection before its reply", false},
    {CURLPX_RECV_REQACK, "it closed the connection before its reply", false},
    {CURLPX_LONG_HOSTNAME, "the host's name is longer than SOCKS allows", false},
};

static bool has_numeric_host(const url *u)
{
  return u->ipv6 || strspn(url_bytes(u, u->host), "0123456789.") >= u->host.length;
}

/* A proxy that looks names up itself has one reply for a name that it does not find and for a host that it
 * does not reach. */
static void fail_unreachable_name(transfer *t)
{
  const url *u = &t->request.target;
  error *e = proxy_fail(t, "PROXY",
                        "the proxy %s cannot connect to %s: the name does not resolve there, or the host is "
                        "unreachable (reply 4)",
                        proxy_name(t), server_name_of(t));
  error_set_cause(e, ERROR_dns, "the name %.*s does not resolve at the proxy", (int)u->host.length,
                  url_bytes(u, u->host));
}

/* With socks5:// the name is looked up here. */
static void fail_own_lookup(transfer *t)
{
  const url *u = &t->request.target;
  error *e = transfer_failure(t);
  error_set(e, ERROR_dns, "connect",
            "the name %.*s does not resolve (socks5:// looks it up here, socks5h:// at the proxy)",
            (int)u->host.length, url_bytes(u, u->host));
  e->retry_safe = t->exchange.connection == CONNECTION_NONE;
}

static void fail_reply(transfer *t, long reply)
{
  size_t i = 0, count = sizeof socks_failures / sizeof *socks_failures;
  while (i < count && socks_failures[i].code != reply) i++;
  const char *words = i < count ? socks_failures[i].words : t->handle->hint;
  error *e = proxy_fail(t, "PROXY", "the proxy %s does not connect to %s: %s", proxy_name(t),
                        server_name_of(t), words);
  if (i < count && socks_failures[i].not_connected)
    error_set_cause(e, ERROR_connect, "%s: %s", server_name_of(t), words);
}

static void fail_socks(transfer *t)
{
  long reply = 0;
  bool looks_up_there = has_scheme(t->options, "socks5h://") && !has_numeric_host(&t->request.target);
  curl_easy_getinfo(t->handle->easy, CURLINFO_PROXY_ERROR, &reply);
  if (reply == CURLPX_RESOLVE_HOST)
    fail_own_lookup(t);
  else if (reply == CURLPX_REPLY_HOST_UNREACHABLE && looks_up_there)
    fail_unreachable_name(t);
  else
    fail_reply(t, reply);
}

/* ---- other failures ---- */

static void fail_for(transfer *t, const char *code, error_kind cause, const char *what, const char *why)
{
  error *e = proxy_fail(t, code, "%s %s: %.*s%s", what, proxy_name(t), SHORTENED(why, 300));
  error_set_cause(e, cause, "%s: %.*s%s", proxy_name(t), SHORTENED(why, 150));
}

static void fail_to_connect(transfer *t)
{
  long os_error = 0;
  curl_easy_getinfo(t->handle->easy, CURLINFO_OS_ERRNO, &os_error);
  const char *why = os_error ? strerror((int)os_error) : *t->handle->hint ? t->handle->hint : "no route";
  fail_for(t, "COULDNT_CONNECT", ERROR_connect, "cannot connect to the proxy", why);
}

static bool is_tls_code(CURLcode code)
{
  return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CIPHER ||
         code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_SSL_PINNEDPUBKEYNOTMATCH || code == CURLE_SSL_ENGINE_INITFAILED ||
         code == CURLE_USE_SSL_FAILED;
}

/* The proxy has done all that it can do, and the server's TLS begins. */
static bool has_tunnel(const transfer *t) { return is_socks(t->options) || t->response.head.complete; }

static bool wants_tunnel(const transfer *t)
{
  return t->request.target.scheme.length == 5 || t->request.connect_only ||
         t->options->version == HTTP_2_PRIOR_KNOWLEDGE;
}

static void fail_cut(transfer *t)
{
  if (!has_tunnel(t)) {
    proxy_fail(t, "RECV_ERROR", "the proxy %s closed the connection before it %s", proxy_name(t),
               wants_tunnel(t) ? "answered CONNECT" : "was asked");
    return;
  }
  error *e =
      proxy_fail(t, "RECV_ERROR", "the tunnel of the proxy %s to %s was closed before TLS was agreed on",
                 proxy_name(t), server_name_of(t));
  error_set_cause(e, ERROR_tls, "the connection to %s ended in the TLS handshake", server_name_of(t));
}

static void fail_before_server(transfer *t, CURLcode code)
{
  /* With SOCKS libcurl has the same code for a name of its own and for that of a server. */
  if (code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_RESOLVE_HOST)
    fail_for(t, "COULDNT_RESOLVE_PROXY", ERROR_dns, "cannot reach the proxy", "its name does not resolve");
  else if (code == CURLE_COULDNT_CONNECT)
    fail_to_connect(t);
  else if (code == CURLE_PROXY)
    fail_socks(t);
  else if (is_tls_code(code) && !has_tunnel(t))
    fail_for(t, NULL, ERROR_tls, "TLS failed with the proxy", transfer_tls_reason(t, code, true));
  else
    fail_cut(t);
}

bool transfer_proxy_failed(transfer *t, CURLcode code)
{
  bool is_connecting = t->exchange.connection == CONNECTION_NONE || t->job.opened;
  if (!proxy_text(t->options) || !is_connecting) return false;
  if (is_tls_code(code) && has_tunnel(t) && !transfer_says_cut(t)) return false; /* the server's */
  if (code == CURLE_OUT_OF_MEMORY || code == CURLE_INTERFACE_FAILED || code == CURLE_OPERATION_TIMEDOUT ||
      code == CURLE_URL_MALFORMAT)
    return false;
  fail_before_server(t, code);
  return true;
}
