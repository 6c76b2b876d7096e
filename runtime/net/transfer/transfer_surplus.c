#include "net/transfer/transfer_surplus.h"
#include "net/curl/multi_idle.h"

#include <openssl/ssl.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

static void end_connection(transfer *t)
{
  t->response.head.must_close = true;
  curl_easy_setopt(t->handle->easy, CURLOPT_FORBID_REUSE, 1L);
}

/* libcurl 7.88 adds a continuation line to the header before it. On a handle that was used before it takes
 * the last header of the former response for that, whose memory is gone, when a head begins with such a line.
 * So the first line behind the status line comes here before libcurl keeps it, and a blank at its start is
 * hidden from libcurl until the line is ours. */
static void hide_blank(const transfer *t, char *line, size_t length)
{
  if (t->exchange.first_header_expected && length && (*line == ' ' || *line == '\t')) *line = '\r';
}

/* libcurl 7.88 throws away what it had read behind the last chunk or behind a head without a body, and keeps
 * the connection, on which the rest of it may follow. It says so, and nothing else tells. */
static void heed_words(transfer *t, const char *words, size_t length)
{
  static const char *const surplus[] = {"Leftovers after chunking", "Excess found"};
  for (size_t i = 0; i < sizeof surplus / sizeof *surplus; i++)
    if (length > strlen(surplus[i]) && !memcmp(words, surplus[i], strlen(surplus[i]))) end_connection(t);
}

int surplus_on_debug(CURL *easy, curl_infotype type, char *bytes, size_t length, void *user)
{
  transfer *t = user;
  (void)easy;
  if (type == CURLINFO_HEADER_IN) hide_blank(t, bytes, length);
  if (type == CURLINFO_DATA_IN) t->exchange.framed += length;
  if (type == CURLINFO_TEXT) heed_words(t, bytes, length);
  return 0;
}

void surplus_watch_line(transfer *t, bool was_in_head)
{
  const head *h = &t->response.head;
  if (h->version == 20) return;
  if (!t->exchange.first_call) t->exchange.first_call = t->admission.multi->calls;
  t->exchange.first_header_expected = t->handle->used && h->in_head && !was_in_head;
  bool may_be_dropped =
      h->complete && (h->chunked || h->content_length == 0 || transfer_response_has_no_body(&t->response));
  bool verbose = t->exchange.first_header_expected || may_be_dropped;
  if (verbose == t->exchange.verbose) return;
  t->exchange.verbose = verbose;
  curl_easy_setopt(t->handle->easy, CURLOPT_VERBOSE, (long)verbose);
}

void surplus_watch_body(transfer *t, const char *bytes)
{
  /* What came with the head lies behind it in libcurl's buffer, at any address; what was read by itself at
   * the buffer's start. */
  bool as_malloc_returns = (uintptr_t)bytes % alignof(max_align_t) == 0;
  if (!t->response.bytes_received && as_malloc_returns) t->exchange.body_apart = true;
}

static bool has_pending(void *session) { return SSL_has_pending(session); }

/* A request that meets the peer's end of the connection is lost; so the connection ends a little earlier. */
static void heed_keep_alive(const transfer *t)
{
  static const uint64_t MAX_MARGIN = 1000 * MILLISECOND;
  uint64_t lifetime = t->response.head.keep_alive * 1000 * MILLISECOND, ours = t->pool->limits.idle_timeout;
  lifetime -= lifetime / 4 < MAX_MARGIN ? lifetime / 4 : MAX_MARGIN;
  if (!ours || lifetime < ours) multi_expire_socket(t->admission.multi, t->handle->easy, lifetime);
}

/* The socket is asked only when there may be more on it. Of a body with a length libcurl reads exactly the
 * rest, so all that follows stays in the socket; but a response that came with one read that did not fill the
 * buffer was all there was then. */
void surplus_check(transfer *t)
{
  uint64_t received =
      t->response.head.received + (t->exchange.framed ? t->exchange.framed : t->response.bytes_received);
  bool one_read = t->exchange.first_call == t->admission.multi->calls &&
                  received < (uint64_t)t->handle->buffer && !t->exchange.body_apart;
  if (t->response.head.version == 20) return;
  bool in_this_call = t->exchange.begun_call == t->admission.multi->calls;
  if (multi_serves_another(t->admission.multi, t->exchange.local_port, in_this_call)) return;
  if (t->response.head.keep_alive) heed_keep_alive(t);
  if ((one_read && !t->exchange.held && !t->exchange.session)) return;
  multi_rest_socket(t->admission.multi, t->handle->easy, has_pending, t->exchange.session);
}
