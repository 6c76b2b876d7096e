#include "net/transfer/transfer_options.h"

#include "core/buffer.h"
#include "net/curl/authorities.h"
#include "net/transfer/transfer.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const long http_versions[] = {CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2TLS,
                                     CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE};
static const long tls_versions[] = {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
                                    CURL_SSLVERSION_TLSv1_3};
static const long ip_versions[] = {CURL_IPRESOLVE_WHATEVER, CURL_IPRESOLVE_V4, CURL_IPRESOLVE_V6};

profile *profile_new(void)
{
  profile *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  p->references = 1;
  p->decompress = p->verify = true;
  p->max_body = p->max_headers = SIZE_MAX;
  p->tls_min = TLS_1_2;
  return p;
}

bool profile_set_text(profile *p, profile_text which, const char *text)
{
  free(p->texts[which]);
  p->texts[which] = strdup(text);
  return p->texts[which];
}

bool profile_add_resolve(profile *p, const char *entry)
{
  struct curl_slist *list = curl_slist_append(p->resolve, entry);
  if (list) p->resolve = list;
  return list;
}

bool profile_seal(profile *p)
{
  buffer text = {0};
  char flags[] = {(char)('0' + p->verify), (char)('0' + p->tls_min), (char)('0' + p->ip),
                  (char)('0' + (p->version == HTTP_1_1)), '\n'};
  bool ok = buffer_append(&text, flags, sizeof flags);
  for (int i = 0; ok && i < PROFILE_RAW_TARGET; i++)
    ok = (!p->texts[i] || buffer_append(&text, p->texts[i], strlen(p->texts[i]))) &&
         buffer_append(&text, "\n", 1);
  for (struct curl_slist *s = p->resolve; ok && s; s = s->next)
    ok = buffer_append(&text, s->data, strlen(s->data)) && buffer_append(&text, "\n", 1);
  ok = ok && buffer_append(&text, "", 1);
  p->identity = text.bytes;
  return ok;
}

void profile_ref(profile *p) { p->references++; }

void profile_unref(profile *p)
{
  if (!p || --p->references) return;
  transfer_free_spares(p->spares);
  for (int i = 0; i < PROFILE_TEXTS; i++) free(p->texts[i]);
  curl_slist_free_all(p->resolve);
  free(p->identity);
  free(p);
}

static CURLcode on_ssl_context(CURL *easy, void *context, void *default_file)
{
  (void)easy;
  if (default_file) {
    X509_STORE *authorities = authorities_default(default_file);
    if (!authorities) return CURLE_SSL_CACERT_BADFILE;
    SSL_CTX_set1_cert_store(context, authorities);
  }
  transfer_watch_tls(context);
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

static void set_tls(const profile *p, CURL *easy)
{
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, tls_versions[p->tls_min]);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, p->verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, p->verify ? 2L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
  const char *ca = p->texts[PROFILE_CA];
  struct stat status;
  if (ca || (p->verify && use_default_authorities(easy))) curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  if (ca && stat(ca, &status) == 0 && S_ISDIR(status.st_mode)) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, ca);
  } else if (ca) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
  }
  if (p->texts[PROFILE_CERT]) curl_easy_setopt(easy, CURLOPT_SSLCERT, p->texts[PROFILE_CERT]);
  if (p->texts[PROFILE_KEY]) curl_easy_setopt(easy, CURLOPT_SSLKEY, p->texts[PROFILE_KEY]);
  if (p->texts[PROFILE_KEY_PASSWORD])
    curl_easy_setopt(easy, CURLOPT_KEYPASSWD, p->texts[PROFILE_KEY_PASSWORD]);
  if (p->texts[PROFILE_PINS]) curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, p->texts[PROFILE_PINS]);
}

/* Everything that is the same for each request; empty proxy settings keep libcurl from searching the
 * environment.
 */
CURL *profile_new_easy(const profile *p, long receive_buffer)
{
  CURL *easy = curl_easy_init();
  if (!easy) return NULL;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a cancelled name lookup must not block the loop */
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, http_versions[p->version]);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, receive_buffer);
  curl_easy_setopt(easy, CURLOPT_IPRESOLVE, ip_versions[p->ip]);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 24 * 3600 * 1000L); /* ours are kept by transfer.c */
  if (p->resolve) curl_easy_setopt(easy, CURLOPT_RESOLVE, p->resolve);
  if (p->texts[PROFILE_UNIX_SOCKET])
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, p->texts[PROFILE_UNIX_SOCKET]);
  if (p->texts[PROFILE_LOCAL_ADDRESS])
    curl_easy_setopt(easy, CURLOPT_INTERFACE, p->texts[PROFILE_LOCAL_ADDRESS]);
  if (p->texts[PROFILE_RAW_TARGET])
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, p->texts[PROFILE_RAW_TARGET]);
  set_tls(p, easy);
  return easy;
}
