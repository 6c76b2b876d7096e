/* What arrives: libcurl's callbacks, which only append to buffers, and the reading of a stream. */
#include "net/transfer/transfer.h"
#include "net/transfer/transfer_surplus.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

enum {
  STREAM_HIGH = 128 * 1024, /* received and not yet taken: above, the peer is held back … */
  STREAM_LOW = 32 * 1024,   /* … until no more than this is left */
  PIECE = 16 * 1024,        /* decoded at a time */
  BODY_GUESS = 1024 * 1024, /* an announced length is believed up to here */
};

static void touch(transfer *t) { t->active_at = clock_now(t->time); }

/* Keeps what the head's or the body's parser found, with what only the transfer knows. */
static void fail(transfer *t, const error *e)
{
  error *failure = transfer_failure(t);
  error_set(failure, e->kind, e->phase ? e->phase : "read", "%s (from %s)", e->message,
            pool_origin_name(&t->admission));
  failure->limit = e->limit;
  failure->observed = e->observed;
}

/* ---- connection ---- */

static bool is_tls(const transfer *t) { return t->target.scheme.length == 5; }

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

static void on_tls_event(const SSL *session, int where, int value)
{
  if (where != SSL_CB_READ_ALERT || (value & 0xff) != SSL_AD_CLOSE_NOTIFY) return;
  transfer *t = SSL_get_ex_data(session, waiting_index);
  if (t) t->close_notified = true;
}

void transfer_watch_tls(void *context)
{
  pthread_once(&waiting_once, make_waiting_index);
  SSL_CTX_set_info_callback(context, on_tls_event);
}

/* libcurl 7.88 takes a connection that ends without close_notify for a clean end, so a cut body without a
 * length would pass for whole. */
static void await_close_notify(transfer *t)
{
  SSL_set_ex_data(t->session, waiting_index, t); /* the connection serves nobody after it */
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

/* Whether the connection was made for this transfer; if libcurl tries again, the one it uses then. */
static bool is_on_new_connection(transfer *t)
{
  long connects = 0;
  curl_easy_getinfo(t->handle->easy, CURLINFO_NUM_CONNECTS, &connects);
  bool more = connects > t->connects;
  t->connects = (uint16_t)connects;
  return more;
}

/* The other end of the connection is a server of this runtime. */
static bool is_served_here(const transfer *t, const char *local_address)
{
  const char *address = t->handle->remote_address;
  bool is_path = *address == '/';
  bool is_near = is_path || !strncmp(address, "127.", 4) || !strcmp(address, local_address);
  return is_near && local_server_find(t->network->loop, is_path ? 0 : t->remote_port, address);
}

/* Connected, or a connection is reused: the request goes out next. */
static int on_connected(void *user, char *address, char *local_address, int port, int local_port)
{
  transfer *t = user;
  touch(t);
  if (!t->connected) t->times.connected = t->active_at;
  if (t->upload && !transfer_is_idempotent(t)) t->fresh = is_on_new_connection(t);
  t->connected = true;
  t->handle->hint[0] = 0; /* an address that did not answer is no fault any more */
  transfer_limits_changed(t);
  size_t length = strnlen(address, sizeof t->handle->remote_address - 1);
  memcpy(t->handle->remote_address, address, length);
  t->handle->remote_address[length] = 0;
  t->remote_port = port;
  t->local_port = local_port;
  transfer_set_external(t, !is_served_here(t, local_address));
  if (!pool_origin_is_known(&t->admission)) pool_origin_known(&t->admission, agreed_on_http2(t));
  return CURL_PREREQFUNC_OK;
}

/* Counts what came. False: it was more than the run may receive, and the transfer has failed. */
static bool count_received(transfer *t, size_t length)
{
  if (run_limits_receive(&t->network->run_limits, length)) return true;
  transfer_fail_refused(t);
  return false;
}

/* ---- head ---- */

bool transfer_has_no_body(const transfer *t)
{
  return !strcmp(t->method, "HEAD") || t->head.status == 204 || t->head.status == 304;
}

static bool ends_with_connection(const transfer *t)
{
  return t->head.version < 20 && t->head.content_length < 0 && !t->head.chunked && !transfer_has_no_body(t);
}

/* libcurl takes "HTTP/2" in a status line for what it is, whatever was agreed on. */
static bool begin_http2(transfer *t)
{
  if (!agreed_on_http2(t)) {
    error e;
    error_set(&e, ERROR_protocol, NULL, "the server sent an HTTP/2 status line on an HTTP/1.1 connection");
    fail(t, &e);
    return false;
  }
  pool_origin_known(&t->admission, true);
  pool_count_answer(&t->admission);
  return true;
}

/* A server that wants no Expect answers 417 before the body is sent. Then libcurl makes the request again,
 * but only its own Expect is left out, not one among the given lines; and what it was told is no response. */
static void drop_expectation(transfer *t)
{
  bool all_sent = t->uploaded == t->upload_length;
  if (t->head.status != 417 || !t->expect_continue || all_sent || t->head.version == 20) return;
  t->expect_continue = false;
  transfer_set_lines(t);
  head_reset(&t->head);
}

static size_t on_head(char *line, size_t size, size_t count, void *user)
{
  transfer *t = user;
  size_t length = size * count;
  /* Once for each response: the clock of the batch may be from before a hundred others. */
  if (!t->times.first_byte) loop_update_now(t->network->loop);
  touch(t);
  if (!t->times.first_byte) t->times.first_byte = t->active_at;
  if (t->failure) return 0;
  if (t->first_header_expected && *line == '\r' && length > 2) *line = ' ';
  error e;
  bool was_complete = t->head.complete, was_in_head = t->head.in_head;
  if (!head_line(&t->head, line, length, &e)) {
    fail(t, &e);
    return 0;
  }
  surplus_watch_line(t, was_in_head);
  if (t->head.complete && !was_complete) drop_expectation(t);
  if (t->head.complete && !was_complete) {
    if (t->head.version == 20 && !begin_http2(t)) return 0;
    if (is_tls(t) && t->head.version < 20) t->session = tls_session_of(t);
    if (t->session && ends_with_connection(t)) await_close_notify(t);
    if (t->head.must_close) curl_easy_setopt(t->handle->easy, CURLOPT_FORBID_REUSE, 1L);
    if (t->streaming) operation_complete(&t->op);
  }
  return count_received(t, length) ? length : 0;
}

/* ---- body ---- */

static bool add_to_body(transfer *t, const char *bytes, size_t length, error *e)
{
  size_t most = t->options->max_body, present = byte_queue_length(&t->body);
  if (!t->streaming && (length > most || present > most - length)) {
    error_set(e, ERROR_too_large, "read", "the response body passed the limit of %zu bytes (max_body)", most);
    e->limit = (double)most;
    e->observed = (double)present + (double)length;
    return false;
  }
  if (byte_queue_append(&t->body, bytes, length)) return true;
  error_set(e, ERROR_limit, "read", "out of memory after %zu bytes of the body", present);
  return false;
}

/* At the first byte: sees what the body is made of. */
static bool begin_body(transfer *t, error *e)
{
  static const char name[] = "content-encoding";
  const char *value;
  size_t length;
  t->has_body = true;
  if (t->head.content_length > 0 && t->head.content_length <= BODY_GUESS && !t->streaming)
    buffer_reserve(&t->body.all, (size_t)t->head.content_length);
  if (!t->options->decompress) return true;
  if (!head_find(t->head.block.bytes, t->head.block.length, name, sizeof name - 1, &value, &length))
    return true;
  buffer codings = {0};
  bool well = head_values(t->head.block.bytes, t->head.block.length, name, sizeof name - 1, &codings);
  if (well)
    well = decoder_create(&t->decoder, codings.bytes, codings.length, e);
  else
    error_set(e, ERROR_limit, "read", "out of memory");
  buffer_free(&codings);
  return well;
}

/* Decodes until `wanted` bytes of the body are there, or the input gives no more. */
static bool decode_until(transfer *t, decode_input *in, size_t wanted, error *e)
{
  char piece[PIECE];
  while (byte_queue_length(&t->body) < wanted) {
    size_t got;
    decode_result result = decoder_read(t->decoder, in, piece, sizeof piece, &got, e);
    if (result == DECODE_FAILED) return false;
    if (result == DECODE_STARVED) return true;
    if (got > 0 && !add_to_body(t, piece, got, e)) return false;
  }
  return true;
}

static bool receive(transfer *t, const char *bytes, size_t length, error *e)
{
  if (!t->has_body && !begin_body(t, e)) return false;
  t->bytes_received += length;
  if (t->streaming) {
    if (byte_queue_append(t->decoder ? &t->raw : &t->body, bytes, length)) return true;
    error_set(e, ERROR_limit, "read", "out of memory");
    return false;
  }
  decode_input in = {bytes, length};
  return t->decoder ? decode_until(t, &in, SIZE_MAX, e) : add_to_body(t, bytes, length, e);
}

static size_t stored(const transfer *t) { return byte_queue_length(&t->raw) + byte_queue_length(&t->body); }

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
  transfer *t = user;
  size_t length = size * count;
  error e;
  touch(t);
  if (t->given_up) return length;
  if (t->failure) return 0;
  if (t->streaming && stored(t) >= STREAM_HIGH && stored(t) >= t->wanted) {
    t->paused = t->held = true;
    if (t->head.version != 20) multi_hold_sockets(t->admission.multi, t->local_port);
    return CURL_WRITEFUNC_PAUSE;
  }
  surplus_watch_body(t, bytes);
  if (!receive(t, bytes, length, &e)) {
    fail(t, &e);
    return 0;
  }
  if (t->streaming) operation_complete(&t->op);
  return count_received(t, length) ? length : 0;
}

void transfer_check_complete(transfer *t)
{
  error e;
  if (!t->head.complete) {
    error_set(transfer_failure(t), ERROR_closed, "read",
              "%s closed the connection before the response's head was complete",
              pool_origin_name(&t->admission));
    return;
  }
  int64_t announced = t->head.content_length;
  if (is_tls(t) && ends_with_connection(t) && !t->close_notified) {
    error_set(&e, ERROR_truncated, NULL,
              "the connection ended without TLS close_notify after %llu bytes of a body of unknown length",
              (unsigned long long)t->bytes_received);
    fail(t, &e);
    return;
  }
  if (!transfer_has_no_body(t) && announced >= 0 && !t->head.chunked &&
      t->bytes_received < (uint64_t)announced) {
    error_set(&e, ERROR_truncated, NULL, "the body ended after %llu of %lld bytes",
              (unsigned long long)t->bytes_received, (long long)announced);
    fail(t, &e);
    return;
  }
  if (t->decoder && !t->streaming && !decoder_finish(t->decoder, &e)) fail(t, &e);
}

/* ---- streams ---- */

/* Decodes received bytes until `wanted` are there or none are left. */
static bool decode_some(transfer *t, size_t wanted, error *e)
{
  size_t length = byte_queue_length(&t->raw);
  decode_input in = {length ? byte_queue_front(&t->raw) : "", length};
  bool well = decode_until(t, &in, wanted, e);
  byte_queue_take(&t->raw, length - in.length);
  return well;
}

/* Once little is left; or when the reader cannot use what there is, as with a long line. */
static void let_continue(transfer *t)
{
  if (!t->paused || t->admission.state != ADMISSION_RUNNING) return;
  if (stored(t) > STREAM_LOW && byte_queue_length(&t->body) >= t->wanted) return;
  t->paused = false;
  touch(t);
  transfer_watch_clock(t);
  /* What libcurl held comes now, and it may be paused again. */
  if (curl_easy_pause(t->handle->easy, CURLPAUSE_CONT) == CURLE_OK) return;
  error_set(transfer_failure(t), ERROR_limit, "read", "out of memory"); /* unless a failure is set */
  transfer_stop(t);
}

/* All of an encoded body was decoded: was its end there? */
static void finish_decoding(transfer *t)
{
  error e;
  if (!t->decoder) return;
  if (!t->failure && !decoder_finish(t->decoder, &e)) fail(t, &e);
  decoder_free(t->decoder);
  t->decoder = NULL;
}

/* Decodes what is there and lets more come until `wanted` bytes are there or only the network can bring more.
 */
static void gather(transfer *t, size_t wanted)
{
  error e;
  do {
    if (t->decoder && !decode_some(t, wanted, &e)) {
      fail(t, &e);
      transfer_stop(t);
      finish_decoding(t);
      return;
    }
    let_continue(t);
  } while (t->decoder && byte_queue_length(&t->body) < wanted && byte_queue_length(&t->raw));
}

transfer_supply transfer_available(transfer *t, size_t wanted)
{
  t->wanted = wanted;
  gather(t, wanted);
  if (byte_queue_length(&t->body) >= wanted) return TRANSFER_BYTES;
  if (t->admission.state != ADMISSION_ENDED) return TRANSFER_MORE_TO_COME;
  finish_decoding(t);
  return t->failure ? TRANSFER_FAILED : TRANSFER_COMPLETE;
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
