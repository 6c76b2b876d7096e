#include "net/transfer/transfer_options.h"

#include "core/buffer.h"
#include "net/curl/authorities.h"
#include "net/transfer/transfer.h"
#include "net/transfer/transfer_certificate.h"
#include "net/transfer/transfer_proxy.h"
#include "net/transfer/transfer_receive.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const long http_versions[] = {
#define HTTP_VERSION(text, value, curl_value) curl_value,
#include "net/transfer/transfer_options.def"
};
static const long tls_versions[] = {
#define TLS_VERSION(text, value, curl_value) curl_value,
#include "net/transfer/transfer_options.def"
};
static const long ip_versions[] = {
#define IP_VERSION(text, value, curl_value) curl_value,
#include "net/transfer/transfer_options.def"
};
static const struct {
  CURLoption option; /* 0: set by hand */
  bool splits;
} texts[] = {
#define TEXT(id, name, option, splits) {(CURLoption)option, splits},
#include "net/transfer/transfer_options.def"
};

const transfer_text transfer_files[] = {OPTION_CA,       OPTION_CERT,       OPTION_KEY,
                                        OPTION_PROXY_CA, OPTION_PROXY_CERT, OPTION_PROXY_KEY};

transfer_options *transfer_options_new(void)
{
  transfer_options *o = calloc(1, sizeof *o);
  if (!o) return NULL;
  o->references = 1;
  list_init(&o->spares);
#define SIZE(name) o->name = SIZE_MAX;
#define FLAG(name) o->name = true;
#include "net/transfer/transfer_options.def"
  o->tls_min = o->proxy_tls_min = TLS_1_2;
  return o;
}

bool transfer_options_set_text(transfer_options *o, transfer_text which, const char *text)
{
  free(o->texts[which]);
  o->texts[which] = strdup(text);
  return o->texts[which];
}

bool transfer_options_add_resolve(transfer_options *o, const char *entry)
{
  struct curl_slist *list = curl_slist_append(o->resolve, entry);
  if (list) o->resolve = list;
  return list;
}

bool transfer_options_seal(transfer_options *o)
{
  buffer text = {0};
  char flags[] = {(char)('0' + o->verify),
                  (char)('0' + o->tls_min),
                  (char)('0' + o->ip),
                  (char)('0' + (o->version == HTTP_1_1)),
                  (char)('0' + o->proxy_verify),
                  (char)('0' + o->proxy_tls_min),
                  '\n'};
  bool ok = buffer_append(&text, flags, sizeof flags);
  for (int i = 0; ok && i < OPTION_TEXTS; i++)
    if (texts[i].splits)
      ok = (!o->texts[i] || buffer_append(&text, o->texts[i], strlen(o->texts[i]))) &&
           buffer_append(&text, "\n", 1);
  for (struct curl_slist *s = o->resolve; ok && s; s = s->next)
    ok = buffer_append(&text, s->data, strlen(s->data)) && buffer_append(&text, "\n", 1);
  ok = ok && buffer_append(&text, "", 1);
  o->identity = text.bytes;
  return ok;
}

void transfer_options_ref(transfer_options *o) { o->references++; }

void transfer_options_unref(transfer_options *o)
{
  if (!o || --o->references) return;
  transfer_free_spares(&o->spares);
  for (int i = 0; i < OPTION_TEXTS; i++) free(o->texts[i]);
  curl_slist_free_all(o->resolve);
  for (int i = 0; i < TRANSFER_FILES; i++)
    if (o->folders[i]) close(o->folders[i] - 1);
  free(o->identity);
  free(o);
}

static CURLcode on_ssl_context(CURL *easy, void *context, void *default_file)
{
  if (default_file) {
    X509_STORE *authorities = authorities_default(default_file);
    if (!authorities) return CURLE_SSL_CACERT_BADFILE;
    SSL_CTX_set1_cert_store(context, authorities);
  }
  transfer_watch_tls(context);
  certificate_watch(easy, context);
  return CURLE_OK;
}

/* libcurl would read its default file anew for each multi handle, and each connection if it has a directory
 * too. */
static bool use_default_authorities(CURL *easy)
{
  char *file = NULL; /* a constant of libcurl's */
  curl_easy_getinfo(easy, CURLINFO_CAINFO, &file);
  if (!file || access(file, R_OK)) return false;
  curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, file);
  return true;
}

/* NULL: leaves the option as it is. False: out of memory. */
static bool set_text(CURL *easy, CURLoption option, const char *text)
{
  return !text || curl_easy_setopt(easy, option, text) != CURLE_OUT_OF_MEMORY;
}

/* False: out of memory; what was asked for would not hold. */
static bool set_tls(const transfer_options *o, CURL *easy)
{
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, tls_versions[o->tls_min]);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, o->verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, o->verify ? 2L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
  const char *ca = o->texts[OPTION_CA];
  struct stat status;
  /* The context of an HTTPS proxy's connection passes on_ssl_context too, and cannot be told apart there. */
  bool shares_default = o->verify && !transfer_proxy_is_https(o);
  if (ca || (shares_default && use_default_authorities(easy))) curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  if (ca && stat(ca, &status) == 0 && S_ISDIR(status.st_mode)) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    return set_text(easy, CURLOPT_CAPATH, ca);
  }
  return set_text(easy, CURLOPT_CAINFO, ca);
}

/* False: out of memory; what was asked for would not hold. */
static bool set_texts(const transfer_options *o, CURL *easy)
{
  bool ok = set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  for (int i = 0; ok && i < OPTION_TEXTS; i++)
    if (texts[i].option) ok = set_text(easy, texts[i].option, o->texts[i]);
  /* Without one libcurl leaves an encrypted key to OpenSSL, which asks on the terminal, and the loop waits.
   */
  if (ok && !o->texts[OPTION_KEY_PASSWORD]) ok = set_text(easy, CURLOPT_KEYPASSWD, "");
  return ok;
}

long transfer_options_tls_version(tls_version version) { return tls_versions[version]; }

/* The transfer keeps the limit; libcurl, which does not reach it, shares the time out among the addresses. */
void transfer_options_set_connect(const transfer_options *o, CURL *easy, bool is_virtual)
{
  static const uint64_t LATER = 50 * MILLISECOND, LONGEST = 600 * 1000 * MILLISECOND;
  uint64_t limit = !is_virtual && o->connect && o->connect < LONGEST ? o->connect : LONGEST;
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)((limit + LATER) / MILLISECOND));
}

/* Everything that is the same for each request. */
CURL *transfer_options_new_easy(const transfer_options *o, long receive_buffer)
{
  CURL *easy = curl_easy_init();
  if (!easy) return NULL;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a cancelled name lookup must not block the loop */
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* libcurl 8 takes %2e for a dot, our URLs do not */
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, http_versions[o->version]);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, receive_buffer);
  curl_easy_setopt(easy, CURLOPT_IPRESOLVE, ip_versions[o->ip]);
  transfer_options_set_connect(o, easy, false);
  if (o->resolve) curl_easy_setopt(easy, CURLOPT_RESOLVE, o->resolve);
  if (set_texts(o, easy) && set_tls(o, easy) && transfer_proxy_set(o, easy)) return easy;
  curl_easy_cleanup(easy);
  return NULL;
}
