/* Where a request goes, as libcurl is told.
 *
 * Given a URL as text, libcurl 7.88 parses it, prints it and copies the parts again for each request, a
 * seventh of its time for a small one. So a transfer that is used again keeps its address parsed (CURLU), and
 * most requests differ from the one before in path and query only. */
#include "net/transfer/transfer_address.h"

#include "format/url/url_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool refused(transfer *t, CURLUcode code)
{
  if (code == CURLUE_OUT_OF_MEMORY)
    error_set(transfer_failure(t), ERROR_limit, NULL, "out of memory");
  else
    error_set(transfer_failure(t), ERROR_url, NULL, "libcurl does not take the URL: %s",
              curl_url_strerror(code));
  return false;
}

/* `path`: where it begins in the text; 0: not known, the next request is set as a whole again. */
static bool set_whole(transfer *t, const char *text, size_t path)
{
  size_t length = strlen(text);
  if (!t->handle->used)
    return !curl_easy_setopt(t->handle->easy, CURLOPT_URL, text) || refused(t, CURLUE_OUT_OF_MEMORY);
  if (!t->handle->address) t->handle->address = curl_url();
  if (!t->handle->address) return refused(t, CURLUE_OUT_OF_MEMORY);
  if (!t->handle->has_address) curl_easy_setopt(t->handle->easy, CURLOPT_CURLU, t->handle->address);
  t->handle->has_address = true;
  t->handle->address_text.length = t->handle->address_path = 0;
  CURLUcode code = curl_url_set(t->handle->address, CURLUPART_URL, text, CURLU_PATH_AS_IS);
  if (code) return refused(t, code);
  if (!path || !buffer_append(&t->handle->address_text, text, length + 1)) return true;
  t->handle->address_path = (uint32_t)path;
  return true;
}

static bool set_path_and_query(transfer *t, const char *text, size_t length)
{
  buffer *kept = &t->handle->address_text;
  kept->length = 0;
  if (!buffer_append(kept, text, length + 1)) return refused(t, CURLUE_OUT_OF_MEMORY);
  char *path = kept->bytes + t->handle->address_path, *query = strchr(path, '?');
  if (query) *query = 0;
  CURLUcode code = curl_url_set(t->handle->address, CURLUPART_PATH, path, 0);
  if (!code) code = curl_url_set(t->handle->address, CURLUPART_QUERY, query ? query + 1 : NULL, 0);
  if (query) *query = '?';
  return !code || refused(t, code);
}

static bool set_address(transfer *t, const char *text, size_t length, size_t path)
{
  const buffer *kept = &t->handle->address_text;
  bool same_origin = t->handle->has_address && t->handle->address_path && t->handle->address_path == path &&
                     kept->length > path && !memcmp(kept->bytes, text, path);
  /* Set by parts, libcurl would write escapes in lower case. */
  if (!same_origin || memchr(text + path, '%', length - path)) return set_whole(t, text, path);
  if (kept->length == length + 1 && !memcmp(kept->bytes + path, text + path, length - path)) return true;
  return set_path_and_query(t, text, length);
}

/* server_name: libcurl takes SNI and the certificate's name from the URL, so the URL names that server, and
 * the connection and the Host header go to the real one. */
static bool set_server_name(transfer *t, const char *name)
{
  const url *u = &t->request.target;
  const char *real = pool_origin_name(&t->admission), *path = url_bytes(u, u->path);
  size_t path_length = strcspn(path, "#");
  buffer text = {0};
  char port[16];
  snprintf(port, sizeof port, ":%u", u->port);
  bool ok = buffer_append(&text, "https://", 8) && buffer_append(&text, name, strlen(name)) &&
            buffer_append(&text, port, strlen(port)) && buffer_append(&text, path, path_length) &&
            buffer_append(&text, "", 1);
  ok = ok && set_whole(t, text.bytes, 0);
  text.length = 0;
  ok = ok && buffer_append(&text, name, strlen(name)) && buffer_append(&text, port, strlen(port)) &&
       buffer_append(&text, ":", 1) && buffer_append(&text, real, strlen(real) + 1);
  t->exchange.connect_to = ok ? curl_slist_append(NULL, text.bytes) : NULL;
  curl_easy_setopt(t->handle->easy, CURLOPT_CONNECT_TO, t->exchange.connect_to);
  text.length = 0;
  ok = ok && buffer_append(&text, "Host: ", 6) && buffer_append(&text, real, strlen(real) + 1);
  if (ok && u->port == 443) *strrchr(text.bytes, ':') = 0;
  t->exchange.host_line = ok ? curl_slist_append(NULL, text.bytes) : NULL;
  buffer_free(&text);
  return t->exchange.connect_to && t->exchange.host_line;
}

bool transfer_address_set(transfer *t)
{
  const url *u = &t->request.target;
  const char *server_name = t->options->texts[OPTION_SERVER_NAME];
  if (server_name && u->scheme.length == 5) return set_server_name(t, server_name);
  if (url_is_bare(u)) return set_address(t, u->text.bytes, u->text.length, u->path.offset);
  buffer bare = {0};
  bool ok = url_write_bare(u, &bare) ? set_whole(t, bare.bytes, 0) : refused(t, CURLUE_OUT_OF_MEMORY);
  buffer_free(&bare);
  return ok;
}
