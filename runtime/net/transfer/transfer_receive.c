#include "net/transfer/transfer_receive.h"
#include "net/curl/multi_ahead.h"
#include "net/curl/multi_idle.h"

#include "net/transfer/transfer_body.h"
#include "net/transfer/transfer_limits.h"
#include "net/transfer/transfer_memory.h"
#include "net/transfer/transfer_nudge.h"
#include "net/transfer/transfer_permit.h"
#include "net/transfer/transfer_proxy.h"
#include "net/transfer/transfer_surplus.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

static void touch(transfer *t) { t->exchange.active_at = clock_now(t->time); }

/* ---- connection ---- */

static bool is_tls(const transfer *t) { return t->request.target.scheme.length == 5; }

/* The TLS session of a running transfer's connection, or NULL. */
static SSL *tls_session_of(const transfer *t)
{
  struct curl_tlssessioninfo *session = NULL;
  curl_easy_getinfo(t->handle->easy, CURLINFO_TLS_SSL_PTR, &session);
  return session && session->backend == CURLSSLBACKEND_OPENSSL ? session->internals : NULL;
}

/* Where an SSL keeps the transfer that waits for its end; libcurl uses the application's own place. */
static int waiting_index;
static pthread_once_t waiting_once = PTHREAD_ONCE_INIT;

static void make_waiting_index(void) { waiting_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL); }

/* Why the certificate was not accepted of which the peer was told last. */
static _Thread_local long rejection = X509_V_OK;

static bool tells_of_certificate(int alert)
{
  return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
         alert == SSL_AD_UNKNOWN_CA;
}

long transfer_take_rejection(void)
{
  long taken = rejection;
  rejection = X509_V_OK;
  return taken;
}

static void on_tls_event(const SSL *session, int where, int value)
{
  if (where == SSL_CB_WRITE_ALERT && tells_of_certificate(value & 0xff))
    rejection = SSL_get_verify_result(session);
  if (where != SSL_CB_READ_ALERT || (value & 0xff) != SSL_AD_CLOSE_NOTIFY) return;
  transfer *t = SSL_get_ex_data(session, waiting_index);
  if (t) t->exchange.close_notified = true;
}

void transfer_watch_tls(void *context)
{
  pthread_once(&waiting_once, make_waiting_index);
  SSL_CTX_set_info_callback(context, on_tls_event);
  SSL_CTX_set_mode(context,
                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER); /* curl_easy_send from a buffer that grows */
}

/* libcurl 7.88 takes a connection that ends without close_notify for a clean end, so a cut body without a
 * length would pass for whole. */
static void await_close_notify(transfer *t)
{
  SSL_set_ex_data(t->exchange.session, waiting_index, t); /* the connection serves nobody after it */
}

static bool agreed_on_http2(const transfer *t)
{
  const unsigned char *protocol = NULL;
  unsigned length = 0;
  if (!is_tls(t)) return t->options->version == HTTP_2_PRIOR_KNOWLEDGE;
  SSL *session = tls_session_of(t);
  if (session) SSL_get0_alpn_selected(session, &protocol, &length);
  return length == 2 && !memcmp(protocol, "h2", 2);
}

/* The other end of the connection is a server of this runtime. */
static bool is_served_here(const transfer *t, const char *local_address)
{
  const char *address = t->handle->remote_address;
  bool is_path = *address == '/';
  bool is_near = is_path || !strncmp(address, "127.", 4) || !strcmp(address, local_address);
  return is_near && local_server_find(t->pool->network->loop, is_path ? 0 : t->exchange.remote_port, address);
}

/* What libcurl puts into one head: with HTTP/1 it is out of memory beyond that. With HTTP/2, nghttp2 keeps a
 * larger one back without a word, and the request would wait for its time limit. */
enum { HTTP1_HEAD_LIMIT = 1 << 20, HTTP2_HEAD_LIMIT = 1 << 16 };

/* What stands in a head besides the URL and the headers given, at most; and besides name and value of each
 * line, as nghttp2 counts and as HTTP/1 writes. */
enum { HEAD_REST = 160, HTTP2_LINE_REST = 12, HTTP1_LINE_REST = 4 };

static bool head_fits(transfer *t)
{
  bool http2 = pool_origin_is_http2(&t->admission);
  size_t limit = http2 ? HTTP2_HEAD_LIMIT : HTTP1_HEAD_LIMIT;
  size_t size = header_list_size(t->request.headers, http2 ? HTTP2_LINE_REST : HTTP1_LINE_REST) +
                t->request.target.text.length + HEAD_REST;
  if (size <= limit) return true;
  error *e = transfer_failure(t);
  error_set(e, ERROR_too_large, "write",
            "the request's head for %s has about %zu bytes: URL, headers and cookies may have %zu%s",
            transfer_peer_name(t), size, limit,
            http2 ? " with HTTP/2 (http_version = \"1.1\" takes more)" : "");
  e->limit = (double)limit;
  e->observed = (double)size;
  return false;
}

/* Whether the connection that libcurl has taken from the idle ones is over, or holds what nobody asked for,
 * which would be taken for the answer. */
static bool is_stale(const transfer *t, int local_port)
{
  multi *m = t->admission.multi;
  if (pool_origin_is_http2(&t->admission)) return multi_was_left(m, local_port);
  return multi_has_surplus(m, local_port) && !agreed_on_http2(t);
}

/* Connected, or a connection is reused: the request goes out next. */
static int on_connected(void *user, char *address, char *local_address, int port, int local_port)
{
  transfer *t = user;
  bool is_new = t->job.opened;
  t->exchange.stale = is_stale(t, local_port);
  if (t->exchange.stale || !transfer_permit_reuse(t, address, port)) return CURL_PREREQFUNC_ABORT;
  multi_note_begun(t->admission.multi, local_port);
  t->exchange.begun_call = t->admission.multi->calls;
  touch(t);
  if (t->exchange.connection == CONNECTION_NONE) t->times.connected = t->exchange.active_at;
  t->exchange.connection = CONNECTION_SOME;
  transfer_proxy_passed(t);
  t->exchange.expectation_refused = false;
  t->handle->hint[0] = 0; /* an address that did not answer is no fault any more */
  transfer_limits_changed(t);
  size_t length = strnlen(address, sizeof t->handle->remote_address - 1);
  memcpy(t->handle->remote_address, address, length);
  t->handle->remote_address[length] = 0;
  t->exchange.remote_port = (uint16_t)port;
  t->exchange.local_port = (uint16_t)local_port;
  transfer_set_external(t, !is_served_here(t, local_address));
  if (is_new || !pool_origin_is_known(&t->admission)) pool_origin_known(&t->admission, agreed_on_http2(t));
  pool_connected(&t->admission, local_port);
  if (pool_origin_is_http2(&t->admission) && is_tls(t))
    multi_read_ahead(t->admission.multi, t->handle->easy, local_port);
  if (!head_fits(t)) return CURL_PREREQFUNC_ABORT;
  if (pool_origin_is_http2(&t->admission) && !t->exchange.is_stream) {
    t->exchange.is_stream = true;
    metrics_open_stream(t->admission.series);
  }
  return CURL_PREREQFUNC_OK;
}

bool transfer_count_received(transfer *t, size_t length)
{
  if (run_limits_receive(&t->pool->network->run_limits, length)) return true;
  transfer_fail_refused(t);
  return false;
}

/* ---- head ---- */

/* libcurl takes "HTTP/2" in a status line for what it is, whatever was agreed on. */
static bool begin_http2(transfer *t)
{
  if (!agreed_on_http2(t)) {
    error e;
    error_set(&e, ERROR_protocol, NULL, "the server sent an HTTP/2 status line on an HTTP/1.1 connection");
    transfer_fail_reading(t, &e);
    return false;
  }
  pool_origin_known(&t->admission, true);
  pool_count_answer(&t->admission);
  return true;
}

/* A server that wants no Expect answers 417, mostly before the body is sent. Then libcurl makes the request
 * again, but only its own Expect is left out, not one among the given lines; and what it was told is no
 * response. False: libcurl would not, over HTTP/2 or when all is sent, so it is given up and made again by
 * us; or it would, but the body cannot be had again. */
static bool drop_expectation(transfer *t)
{
  bool by_libcurl = t->response.head.version != 20 && !transfer_request_is_sent(&t->request);
  if (t->response.head.status != 417 || !t->request.expect_continue || !t->request.upload) return true;
  if (!upload_can_rewind(t->request.upload)) {
    t->exchange.ended_by_head = true;
    return false;
  }
  t->request.expect_continue = false;
  t->exchange.expectation_refused = true;
  transfer_exchange_set_lines(t);
  head_reset(&t->response.head);
  return by_libcurl;
}

static bool is_undecided(const transfer *t)
{
  const unsigned char *set = t->request.undecided;
  unsigned status = (unsigned)t->response.head.status;
  return set && status < TRANSFER_STATUSES && set[status / 8] >> status % 8 & 1;
}

/* It may not be for the script, which its head tells: it goes on as a stream, which is gathered or thrown
 * away. */
static bool open_undecided(transfer *t)
{
  if (!is_undecided(t)) return false;
  if (!transfer_request_is_sent(&t->request) && !upload_keep(t->request.upload)) return false;
  t->request.streaming = t->response.streaming = true;
  return true;
}

void transfer_head_complete(transfer *t)
{
  transfer_tape_head(t->response.tape, &t->response.head);
  if (t->request.streaming || open_undecided(t)) operation_complete(&t->op);
}

/* A line of the proxy's answer to CONNECT. */
static size_t on_proxy_head(transfer *t, const char *line, size_t length)
{
  if (t->failure || !transfer_proxy_line(t, line, length)) return 0;
  return transfer_count_received(t, length) ? length : 0;
}

static size_t on_head(char *line, size_t size, size_t count, void *user)
{
  transfer *t = user;
  size_t length = size * count;
  if (t->job.opened) return on_proxy_head(t, line, length);
  /* Once for each response: the clock of the batch may be from before a hundred others. */
  if (!t->times.first_byte) loop_update_now(t->pool->network->loop);
  touch(t);
  t->admission.multi->received++;
  if (!t->times.first_byte) t->times.first_byte = t->exchange.active_at;
  if (t->failure) return 0;
  if (t->exchange.first_header_expected && *line == '\r' && length > 2) *line = ' ';
  error e;
  bool was_complete = t->response.head.complete, was_in_head = t->response.head.in_head;
  if (!head_line(&t->response.head, line, length, &e)) {
    transfer_fail_reading(t, &e);
    return 0;
  }
  bool is_within = was_in_head && t->response.head.in_head && !t->exchange.first_header_expected;
  if (!is_within) surplus_watch_line(t, was_in_head);
  if (t->response.head.complete && !was_complete && !drop_expectation(t)) return 0;
  if (t->response.head.complete && !was_complete) {
    if (t->response.head.version == 20 && !begin_http2(t)) return 0;
    if (is_tls(t) && t->response.head.version < 20) t->exchange.session = tls_session_of(t);
    if (t->exchange.session && transfer_response_ends_with_connection(&t->response)) await_close_notify(t);
    if (t->response.head.must_close) curl_easy_setopt(t->handle->easy, CURLOPT_FORBID_REUSE, 1L);
    transfer_head_complete(t);
  }
  return transfer_count_received(t, length) ? length : 0;
}

/* ---- body ---- */

/* What came is more than is taken for now. */
static size_t hold_back(transfer *t)
{
  t->exchange.flow = FLOW_PAUSED;
  t->exchange.held = true;
  if (t->response.head.version != 20) multi_hold_sockets(t->admission.multi, t->exchange.local_port);
  return CURL_WRITEFUNC_PAUSE;
}

/* What libcurl has read comes in pieces; when one is held back, it copies all that is left of it. So a stream
 * without a coding takes the rest of a read, too, and is held back at its last piece: the short one, or that
 * at the buffer's end. What is read in smaller portions (TLS, chunks) may bring twice as much as else. */
static bool takes_rest_of_read(transfer *t, const char *bytes, size_t length)
{
  transfer_handle *h = t->handle;
  uint32_t at = (uint32_t)(uintptr_t)bytes;
  h->read_length = (h->read_end == at ? h->read_length : 0) + (uint32_t)length;
  h->read_end = at + (uint32_t)length;
  if (length < CURL_MAX_WRITE_SIZE || h->read_length >= h->buffer || t->response.head.version == 20)
    return false;
  return transfer_response_takes_more(&t->response, h->buffer);
}

static void note_progress(const transfer *t)
{
  transfer_progress *p = t->request.progress;
  if (!p) return;
  p->received = t->response.bytes_received;
  p->length_received = t->response.head.chunked ? -1 : t->response.head.content_length;
}

/* Only a stream whose buffer is full stops nghttp2 in the middle of what libcurl has read. Until as much came
 * as the buffer holds, it never was. */
static void note_streamed(const transfer *t, size_t length)
{
  if (t->response.head.version != 20) return;
  t->admission.multi->received++;
  if (t->response.head.received + t->response.bytes_received + length >= (size_t)t->handle->buffer)
    multi_note_streamed(t->admission.multi, t->exchange.local_port);
}

bool transfer_take_body(transfer *t, const char *bytes, size_t length)
{
  error e;
  if (!transfer_memory_receive(t, bytes, length, &e)) {
    transfer_fail_reading(t, &e);
    return false;
  }
  note_progress(t);
  if (t->request.streaming)
    operation_complete(&t->op);
  else if (!t->response.streaming && !transfer_decode(t))
    return false;
  return transfer_count_received(t, length);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
  transfer *t = user;
  size_t length = size * count;
  touch(t);
  note_streamed(t, length);
  if (t->exchange.given_up) return length;
  if (t->failure) return 0;
  if (transfer_discards_enough(t, length)) {
    operation_complete(&t->op);
    return hold_back(t);
  }
  bool takes_rest = takes_rest_of_read(t, bytes, length);
  if (!takes_rest && transfer_response_is_full(&t->response)) return hold_back(t);
  surplus_watch_body(t, bytes);
  if (t->response.head.version == 20) transfer_nudge_note(t, bytes, length);
  return transfer_take_body(t, bytes, length) ? length : 0;
}

void transfer_check_complete(transfer *t)
{
  error e;
  if (!t->response.head.complete) {
    error_set(transfer_failure(t), ERROR_closed, "read",
              "%s closed the connection before the response's head was complete", transfer_peer_name(t));
    return;
  }
  if (is_tls(t) && transfer_response_ends_with_connection(&t->response) && !t->exchange.close_notified) {
    error_set(&e, ERROR_truncated, NULL,
              "the connection ended without TLS close_notify after %llu bytes of a body of unknown length",
              (unsigned long long)t->response.bytes_received);
    transfer_fail_reading(t, &e);
  } else if (!transfer_response_is_whole(&t->response, &e)) {
    transfer_fail_reading(t, &e);
  } else if (!t->response.streaming && !t->response.undecoded) {
    if (!transfer_response_end_decoding(&t->response, &e)) transfer_fail_reading(t, &e);
  }
}

/* ---- wiring ---- */

void transfer_set_callbacks(transfer *t)
{
  CURL *easy = t->handle->easy;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &t->job);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->handle->hint);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, surplus_on_debug);
  curl_easy_setopt(easy, CURLOPT_DEBUGDATA, t);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
}
