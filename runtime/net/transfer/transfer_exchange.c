#include "net/transfer/transfer_exchange.h"

#include "net/transfer/transfer.h"
#include "net/transfer/transfer_address.h"
#include "net/transfer/transfer_certificate.h"
#include "net/transfer/transfer_files.h"
#include "net/transfer/transfer_limits.h"
#include "net/transfer/transfer_permit.h"
#include "net/transfer/transfer_receive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum {
  /* What libcurl receives into, each transfer for itself. */
  STREAM_BUFFER = 128 * 1024,
  MIN_STREAM_BUFFER = 32 * 1024,
  STREAM_BUFFERS_LIMIT =
      8 * 1024 * 1024, /* what is shared by those that run; each has its minimum above that */
  BUFFER = 16 * 1024,
  UPLOAD_BUFFER = 256 * 1024, /* what it sends from, for bodies that are longer */
  MIN_BUFFER = 1024,          /* of libcurl */
  BUFFERS_LIMIT = 4 * 1024 * 1024,
  PLAIN_HTTP2_BUFFER = 512 * 1024, /* the most that libcurl takes */
  PLAIN_HTTP2_BUFFERS_LIMIT = 64 * 1024 * 1024,
};

/* With thousands at once memory counts more than system calls for long bodies. */
static long share_of(long size, long least, size_t all, size_t running)
{
  while (size > least && (size_t)size * running > all) size /= 2;
  return size;
}

static long buffer_for(const transfer *t)
{
  if (t->request.connect_only) return MIN_BUFFER; /* only a proxy answers into it */
  size_t running = t->pool->network->running;
  /* libcurl 7.88 stops nghttp2 in the middle of what it has read when a stream's buffer is full, and where
   * that is at the last byte of a body, it never hears of the end. Without TLS, which gives it little at
   * once, streams that run at once fill 128 KiB. */
  if (t->options->version == HTTP_2_PRIOR_KNOWLEDGE)
    return share_of(PLAIN_HTTP2_BUFFER, MIN_STREAM_BUFFER, PLAIN_HTTP2_BUFFERS_LIMIT, running);
  if (t->request.streaming) return share_of(STREAM_BUFFER, MIN_STREAM_BUFFER, STREAM_BUFFERS_LIMIT, running);
  return share_of(BUFFER, MIN_BUFFER, BUFFERS_LIMIT, running);
}

/* ---- the request ---- */

static size_t read_upload(char *to, size_t size, size_t count, void *user)
{
  transfer *t = user;
  size_t length = 0;
  upload_state state = upload_read(t->request.upload, to, size * count, &length);
  if (state == UPLOAD_FAILED) {
    transfer_fail_upload(t);
    return CURL_READFUNC_ABORT;
  }
  transfer_tape_sent(t->response.tape, to, length);
  t->exchange.active_at = clock_now(t->time);
  t->exchange.upload_waits = state == UPLOAD_LATER;
  t->exchange.uploaded += length;
  if (t->request.progress) t->request.progress->sent = t->exchange.uploaded;
  if (state == UPLOAD_LATER) return CURL_READFUNC_PAUSE;
  t->admission.multi->uploads++;
  if (transfer_request_is_sent(&t->request)) transfer_limits_changed(t);
  return length;
}

/* What libcurl waited for is there. It asks for it in a call of its own. */
static void on_more(void *user)
{
  transfer *t = user;
  if (t->exchange.prepares) transfer_begin(t);
  if (!t->exchange.upload_waits) return;
  t->exchange.upload_waits = false;
  t->exchange.active_at = clock_now(t->time);
  transfer_limits_watch(t);
  if (t->request.played) {
    if (t->rider) t->rider->more(t->rider);
    return;
  }
  int flow = t->exchange.flow == FLOW_PAUSED ? CURLPAUSE_RECV : CURLPAUSE_CONT;
  if (curl_easy_pause(t->handle->easy, flow) != CURLE_OK) transfer_fail_memory(t);
}

/* libcurl sends a request again: see send_once. */
static int rewind_upload(void *user, curl_off_t offset, int from)
{
  transfer *t = user;
  if (from != SEEK_SET || offset || !upload_rewind(t->request.upload)) return CURL_SEEKFUNC_FAIL;
  t->exchange.uploaded = 0;
  transfer_tape_rewind(t->response.tape);
  return CURL_SEEKFUNC_OK;
}

static void set_upload(transfer *t)
{
  CURL *easy = t->handle->easy;
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer_request_length(&t->request));
  if (transfer_request_length(&t->request) > UPLOAD_BUFFER)
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_upload);
  curl_easy_setopt(easy, CURLOPT_READDATA, t);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_upload);
  curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
}

/* libcurl sends a request again, whatever its method, when a reused connection ends before any answer, but
 * not one that waits for RTP; that is all it looks at this option for when it speaks HTTP. What is left is
 * a stream that HTTP/2 refused, on any connection: then nothing was processed. A libcurl without RTSP does
 * not know the option; on a new connection it sends nothing twice either. */
static void send_once(CURL *easy)
{
  if (curl_easy_setopt(easy, CURLOPT_RTSP_REQUEST, (long)CURL_RTSPREQ_RECEIVE) != CURLE_OK)
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

/* A spare easy handle is set to GET without body already. False: out of memory. */
static bool set_method(transfer *t, bool wants_body)
{
  CURLcode result = CURLE_OK;
  bool is_head = !strcmp(t->request.method, "HEAD");
  if (wants_body) set_upload(t);
  if (is_head) curl_easy_setopt(t->handle->easy, CURLOPT_NOBODY, 1L);
  if (!is_head || wants_body)
    result = curl_easy_setopt(t->handle->easy, CURLOPT_CUSTOMREQUEST, t->request.method);
  if (!transfer_request_is_idempotent(&t->request)) send_once(t->handle->easy);
  return result == CURLE_OK;
}

void transfer_exchange_set_lines(transfer *t)
{
  bool expects = t->request.expect_continue && transfer_request_length(&t->request);
  struct curl_slist *lines =
      header_list_lines(t->request.headers, transfer_request_sends_body(&t->request), expects);
  if (t->exchange.host_line && !header_list_has(t->request.headers, "Host")) {
    t->exchange.host_line->next = lines;
    lines = t->exchange.host_line;
  }
  if (t->handle->lines != lines) curl_easy_setopt(t->handle->easy, CURLOPT_HTTPHEADER, lines);
  t->handle->lines = lines;
}

/* libcurl 7.88 fails every request but the first of a plain HTTP/2 connection when it has to know that HTTP/2
 * is spoken; it does not when it only may be. Without a connection such a request would be one of HTTP/1.1:
 * it gets no socket (pool_may_connect). libcurl 8 takes such a request for one that would upgrade, and gives
 * it no connection that others are on; and it knows well. */
static void set_prior_knowledge(transfer *t)
{
  if (curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000) return;
  t->exchange.rides = t->admission.ticket.rides;
  if (t->exchange.rides)
    curl_easy_setopt(t->handle->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_0);
  else
    curl_easy_setopt(t->handle->easy, CURLOPT_FRESH_CONNECT, 1L);
}

static bool set_request(transfer *t)
{
  CURL *easy = t->handle->easy;
  bool ok = transfer_address_set(t), wants_body = transfer_request_sends_body(&t->request);
  transfer_exchange_set_lines(t);
  if (t->options->texts[OPTION_PROXY])
    curl_easy_setopt(easy, CURLOPT_PROXYHEADER, header_list_lines_for_proxy(t->request.headers));
  if (wants_body || strcmp(t->request.method, "GET")) ok = set_method(t, wants_body) && ok;
  /* A tunnel, where there is a proxy: what goes over the connection is no request. */
  if (t->request.connect_only) {
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
  }
  if (t->options->version == HTTP_2_PRIOR_KNOWLEDGE) set_prior_knowledge(t);
  if (!t->pool->limits.idle && !t->request.connect_only) curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  if (t->handle->multi != t->admission.multi) multi_set_options(t->admission.multi, easy);
  t->handle->multi = t->admission.multi;
  return ok;
}

/* A spare transfer may have one that does not fit. */
static void drop_easy(transfer_handle *h)
{
  if (h->easy) curl_easy_cleanup(h->easy);
  h->easy = NULL;
  transfer_files_forget(h);
}

static bool prepare_easy(transfer *t, bool shares)
{
  if (!t->handle) t->handle = calloc(1, sizeof *t->handle);
  transfer_handle *h = t->handle;
  if (!h) return false;
  long buffer_size = buffer_for(t);
  if (t->request.streaming || h->buffer < buffer_size) drop_easy(h);
  /* libcurl 7.88 forgets the TLS session table that a handle made for itself when it is given a share. */
  if (shares && h->ran_alone) drop_easy(h);
  h->ran_alone = !shares;
  h->hint[0] = 0;
  free(h->refusal);
  h->refusal = NULL;
  t->exchange.permitted = false;
  if (h->easy) return true;
  h->easy = transfer_options_new_easy(t->options, buffer_size);
  h->buffer = (uint32_t)buffer_size;
  if (!h->easy) return false;
  h->used = h->has_address = h->is_virtual = false;
  h->multi = NULL;
  h->lines = NULL;
  transfer_set_callbacks(t);
  return true;
}

upload_state transfer_exchange_prepare(transfer *t)
{
  upload *u = t->request.upload;
  if (!u) return UPLOAD_END;
  upload_begin(u, on_more, t);
  upload_state state = upload_prepare(u);
  t->exchange.prepares = state == UPLOAD_LATER;
  if (state == UPLOAD_END && t->request.progress) t->request.progress->length_sent = u->length;
  return state;
}

bool transfer_exchange_begin(transfer *t, CURLSH *share)
{
  if (!prepare_easy(t, share) || !transfer_files_set(t) || !set_request(t)) return false;
  /* Names and TLS sessions are shared; a plain numeric address needs neither. */
  if (share) curl_easy_setopt(t->handle->easy, CURLOPT_SHARE, share);
  bool is_virtual = t->time == &t->pool->network->loop->virtual;
  if (is_virtual != t->handle->is_virtual)
    transfer_options_set_connect(t->options, t->handle->easy, is_virtual);
  t->handle->is_virtual = is_virtual;
  t->exchange.looks_up = pool_looks_up(&t->admission);
  if (t->exchange.looks_up) curl_easy_setopt(t->handle->easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  if (!multi_add(t->admission.multi, &t->job, t->handle->easy)) return false;
  t->exchange.flow = FLOW_ON;
  return true;
}

/* ---- end ---- */

static uint64_t info_time(CURL *easy, CURLINFO which)
{
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy, which, &microseconds);
  return microseconds > 0 ? (uint64_t)microseconds * 1000 : 0;
}

/* What only libcurl knows, read before the handle goes back. */
void transfer_exchange_collect(transfer *t)
{
  long connects = 0, request_size = 0;
  curl_easy_getinfo(t->handle->easy, CURLINFO_NUM_CONNECTS, &connects);
  curl_easy_getinfo(t->handle->easy, CURLINFO_REQUEST_SIZE, &request_size);
  t->exchange.bytes_sent = (uint64_t)request_size + t->exchange.uploaded;
  if (t->exchange.connection != CONNECTION_NONE && connects == 0) t->exchange.connection = CONNECTION_REUSED;
  if (t->exchange.connection == CONNECTION_REUSED) return;
  if (t->time == &t->pool->network->loop->virtual) {
    t->times.connect = t->times.connected ? t->times.connected - t->times.dispatched : 0;
    return;
  }
  uint64_t dns = info_time(t->handle->easy, CURLINFO_NAMELOOKUP_TIME_T);
  uint64_t connect = info_time(t->handle->easy, CURLINFO_CONNECT_TIME_T);
  uint64_t tls = info_time(t->handle->easy, CURLINFO_APPCONNECT_TIME_T);
  t->times.dns = dns;
  t->times.connect = connect > dns ? connect - dns : 0;
  t->times.tls = tls > connect ? tls - connect : 0;
  /* Ours are read from the clock once per batch of events, and a handshake takes long. */
  loop_update_now(t->pool->network->loop);
  uint64_t first_byte = t->times.dispatched + info_time(t->handle->easy, CURLINFO_STARTTRANSFER_TIME_T);
  if (t->times.first_byte && t->times.first_byte < first_byte) t->times.first_byte = first_byte;
}

/* Only the handle of an exchange that went well, and that needed no options of its own, is used again. Not
 * one that may ask a proxy for a tunnel: see hide_blank in transfer_surplus.c, which nobody does there. */
static bool is_reusable(const transfer *t)
{
  return !t->request.streaming && !t->request.connect_only && !t->response.sink && !t->request.upload &&
         !strcmp(t->request.method, "GET") && !t->exchange.connect_to && !t->options->texts[OPTION_PROXY] &&
         !t->response.head.must_close && t->options->version != HTTP_2_PRIOR_KNOWLEDGE;
}

/* Takes the easy handle back from libcurl, if that ever got it. Only after an exchange that went well
 * (`clean`) is it used again: method and body that were set for a request which failed before it began would
 * go out with the next. */
void transfer_exchange_end(transfer *t, bool clean)
{
  static const long DNS_CACHE_SECONDS = 60; /* libcurl's default */
  if (t->request.played) t->exchange.flow = FLOW_NONE;
  if (t->exchange.flow == FLOW_PAUSED) {
    /* libcurl 7.88 would never free what it holds of an HTTP/2 stream */
    t->exchange.given_up = true;
    curl_easy_pause(t->handle->easy, CURLPAUSE_CONT);
  }
  if (t->exchange.flow != FLOW_NONE) multi_remove(t->admission.multi, &t->job);
  if (t->exchange.is_stream) metrics_close_stream(t->admission.series);
  t->exchange.is_stream = false;
  t->exchange.flow = FLOW_NONE;
  certificate_forget(t);
  if (t->handle) transfer_permit_release(t->handle);
  if (t->handle && (!clean || !is_reusable(t))) drop_easy(t->handle);
  if (t->handle && t->handle->easy && !t->handle->ran_alone)
    curl_easy_setopt(t->handle->easy, CURLOPT_SHARE, NULL);
  if (t->handle && t->handle->easy && t->exchange.looks_up)
    curl_easy_setopt(t->handle->easy, CURLOPT_DNS_CACHE_TIMEOUT, DNS_CACHE_SECONDS);
  if (t->handle && t->handle->easy && t->exchange.verbose)
    curl_easy_setopt(t->handle->easy, CURLOPT_VERBOSE, 0L);
  curl_slist_free_all(t->exchange.connect_to);
  if (t->exchange.host_line) t->exchange.host_line->next = NULL; /* those behind it are the header list's */
  curl_slist_free_all(t->exchange.host_line);
  t->exchange.connect_to = t->exchange.host_line = NULL;
}

int transfer_exchange_detach(transfer *t)
{
  curl_socket_t theirs = CURL_SOCKET_BAD;
  curl_easy_getinfo(t->handle->easy, CURLINFO_ACTIVESOCKET, &theirs);
  int ours = theirs == CURL_SOCKET_BAD ? -1 : fcntl(theirs, F_DUPFD_CLOEXEC, 0);
  if (ours >= 0) transfer_exchange_end(t, false);
  return ours;
}

void transfer_handle_free(transfer_handle *h)
{
  if (!h) return;
  if (h->easy) curl_easy_cleanup(h->easy);
  transfer_files_forget(h);
  transfer_permit_release(h);
  curl_url_cleanup(h->address);
  free(h->refusal);
  buffer_free(&h->address_text);
  free(h);
}
