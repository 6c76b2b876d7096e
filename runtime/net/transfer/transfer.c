#include "net/transfer/transfer.h"

#include "core/container_of.h"
#include "net/transfer/transfer_failure.h"
#include "net/transfer/transfer_summary.h"
#include "net/transfer/transfer_surplus.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
  MAX_SPARES = 1024,
  MAX_KEPT_BODY = 16 * 1024, /* a larger buffer is not kept with a spare transfer */
  /* What libcurl receives into, each transfer for itself. */
  STREAM_BUFFER = 128 * 1024,
  BUFFER = 16 * 1024,
  CROWD_BUFFER = 1024, /* thousands at once: memory counts more than system calls for long bodies */
  CROWD = 2000,
};

static error out_of_memory = {.kind = ERROR_limit, .message = "out of memory"};

static uint64_t now_of(const transfer *t) { return clock_now(t->time); }

/* ---- life ---- */

static void run(admission *a, CURLSH *share);

static void fail(admission *a, const error *why)
{
  transfer_fail_with(container_of(a, transfer, admission), why);
}

static const admission_class in_pool = {run, fail};

static bool on_finished(multi_job *job, const multi_result *result);
static bool expects_more(const multi_job *job);

static const multi_job_class in_multi = {on_finished, expects_more};

transfer *transfer_new(pool *p, transfer_options *options, header_list *headers, loop_clock *time)
{
  transfer *t = options->spares;
  if (t) {
    options->spares = t->next_spare;
    options->spare_count--;
    t->next_spare = NULL;
  } else {
    t = calloc(1, sizeof *t);
    if (!t) return NULL;
  }
  t->admission.class = &in_pool;
  t->job.class = &in_multi;
  t->network = p->network;
  pool_ref(t->pool = p);
  transfer_options_ref(t->options = options);
  header_list_ref(t->headers = headers);
  t->time = time;
  return t;
}

static void free_handle(transfer_handle *h)
{
  if (!h) return;
  if (h->easy) curl_easy_cleanup(h->easy);
  curl_url_cleanup(h->address);
  buffer_free(&h->address_text);
  free(h);
}

static void free_really(transfer *t)
{
  free_handle(t->handle);
  url_free(&t->target);
  head_free(&t->head);
  byte_queue_free(&t->body);
  free(t);
}

void transfer_free_spares(transfer *first)
{
  while (first) {
    transfer *t = first;
    first = t->next_spare;
    free_really(t);
  }
}

/* Empties it, but keeps its easy handle and the memory of its buffers for the next request of the same
 * profile. libcurl keeps no state of a former request that could meet the next: authentication, cookies and
 * redirects are never its own. */
static void recycle(transfer *t, transfer_options *p)
{
  url target = t->target;
  buffer block = t->head.block, body = t->body.all;
  if (body.capacity > MAX_KEPT_BODY) buffer_free(&body);
  memset(t, 0, offsetof(transfer, handle));
  if (t->handle) {
    t->handle->remote_address[0] = 0;
    t->handle->used = true;
  }
  block.length = body.length = 0;
  t->target = target;
  t->head.block = block;
  t->body.all = body;
  t->next_spare = p->spares;
  p->spares = t;
  p->spare_count++;
}

static void release_easy(transfer *t, bool clean);

/* Refused, timed out while it ran, or not connected: there may be too many at once. */
static bool is_overload(const transfer *t)
{
  const error *e = t->failure;
  if (!e) return t->head.complete && (t->head.status == 429 || t->head.status == 503);
  bool ran_out = e->kind == ERROR_timeout && e->phase && (*e->phase == 'c' || *e->phase == 'r');
  return ran_out || e->kind == ERROR_connect;
}

static origin_sample sample_of(const transfer *t)
{
  const transfer_times *times = &t->times;
  uint64_t began = times->connected > times->dispatched ? times->connected : times->dispatched;
  return (origin_sample){.overloaded = is_overload(t),
                         .answered = t->head.complete && times->first_byte >= began,
                         .age = times->ended - times->dispatched,
                         .latency = times->first_byte - began};
}

void transfer_set_external(transfer *t, bool external)
{
  loop *l = t->network->loop;
  if (t->time != &l->virtual || external == t->external) return;
  l->external_requests += external ? 1u : -1u;
  t->external = external;
  loop_note_activity(l);
}

/* Leaves the pool and gives back connection, slot and clock. */
static void stop(transfer *t, bool clean)
{
  if (t->admission.state == ADMISSION_ENDED) return;
  timer_stop(&t->clock);
  transfer_set_external(t, false);
  if (t->admission.state == ADMISSION_RUNNING) release_easy(t, clean);
  t->times.ended = now_of(t);
  origin_sample sample = sample_of(t);
  pool_leave(&t->admission, &sample);
}

static void end(transfer *t, bool clean)
{
  stop(t, clean);
  operation_complete(&t->op);
}

void transfer_stop(transfer *t) { end(t, false); }

/* A stream may be given up once its head is there; anything else that goes on is cancelled. */
static bool is_given_up(const transfer *t)
{
  return t->admission.state != ADMISSION_ENDED && !(t->streaming && t->head.complete);
}

static void record(const transfer *t, bool given_up)
{
  metrics_attempt attempt = transfer_attempt(t, given_up);
  metrics_record(t->admission.series, &attempt);
}

void transfer_free(transfer *t)
{
  bool given_up = is_given_up(t);
  stop(t, false);
  if (t->admission.series) record(t, given_up);
  pool_forget(&t->admission);
  operation_reset(&t->op);
  if (t->failure != &out_of_memory) free(t->failure);
  decoder_free(t->decoder);
  byte_queue_free(&t->raw);
  free(t->upload_copy);
  transfer_options *options = t->options;
  pool *p = t->pool;
  header_list_unref(t->headers);
  if (options->spare_count < MAX_SPARES)
    recycle(t, options);
  else
    free_really(t);
  transfer_options_unref(options);
  pool_unref(p);
}

/* ---- failure ---- */

error *transfer_failure(transfer *t)
{
  static _Thread_local error ignored; /* a second failure is a consequence of the first */
  if (t->failure) return &ignored;
  t->failure = malloc(sizeof *t->failure);
  if (!t->failure) {
    t->failure = &out_of_memory;
    return &ignored;
  }
  return t->failure;
}

void transfer_fail_memory(transfer *t)
{
  error_set(transfer_failure(t), ERROR_limit, NULL, "out of memory");
  end(t, false);
}

/* The first failure stays; one that is the reason of the run's limits is counted there. */
static void set_failure(transfer *t, const error *why)
{
  run_limits *l = &t->network->run_limits;
  if (t->failure) return;
  *transfer_failure(t) = *why;
  if (why == &l->reason) run_limits_refused(l);
}

void transfer_fail_refused(transfer *t) { set_failure(t, &t->network->run_limits.reason); }

void transfer_fail_with(transfer *t, const error *why)
{
  set_failure(t, why);
  end(t, false);
}

void transfer_cancel(transfer *t, const char *why)
{
  error_set(transfer_failure(t), ERROR_canceled, NULL, "%s", why);
  end(t, false);
}

/* ---- time limits ---- */

typedef struct {
  uint64_t due, limit;
  const char *phase, *doing;
} time_limit;

static void consider(time_limit *first, uint64_t from, uint64_t limit, const char *phase, const char *doing)
{
  if (limit && from + limit < first->due) *first = (time_limit){from + limit, limit, phase, doing};
}

/* The limit that is reached first as things are now. */
static time_limit next_limit(const transfer *t)
{
  const transfer_options *p = t->options;
  time_limit first = {.due = UINT64_MAX};
  if (t->deadline && t->deadline < first.due)
    first = (time_limit){t->deadline, p->total, "total", "for the whole request to"};
  if (t->admission.state == ADMISSION_WAITING) {
    consider(&first, t->times.queued, p->queue, "queue", "in the queue for");
    return first;
  }
  if (!t->connected)
    consider(&first, t->times.dispatched, p->connect, "connect", "while connecting to");
  else if (t->uploaded < t->upload_length)
    consider(&first, t->active_at, p->write, "write", "while sending to");
  else if (!t->paused)
    consider(&first, t->active_at, p->read, "read", "while waiting for data from");
  return first;
}

static void on_clock(timer *clock);

void transfer_watch_clock(transfer *t)
{
  time_limit limit = next_limit(t);
  if (limit.due != UINT64_MAX && !clock_start(t->time, &t->clock, limit.due, on_clock))
    transfer_fail_memory(t);
}

void transfer_limits_changed(transfer *t)
{
  uint64_t due = next_limit(t).due;
  if (due < UINT64_MAX && (!timer_active(&t->clock) || due < t->clock.due))
    clock_start(t->time, &t->clock, due, on_clock); /* no memory: the old one stays */
}

/* Activity only notes its time; the clock finds out here how much is left. */
static void on_clock(timer *clock)
{
  transfer *t = container_of(clock, transfer, clock);
  time_limit limit = next_limit(t);
  if (limit.due > now_of(t)) {
    transfer_watch_clock(t);
    return;
  }
  error *e = transfer_failure(t);
  double seconds = (double)limit.limit / NANOSECONDS;
  char why[128] = "";
  if (t->admission.state == ADMISSION_WAITING) pool_describe_wait(&t->admission, why, sizeof why);
  error_set(e, ERROR_timeout, limit.phase, "timeout %s %s%s%s (limit: %s = %g s)", limit.doing,
            pool_origin_name(&t->admission), *why ? ", " : "", why, limit.phase, seconds);
  e->limit = seconds;
  e->code = "OPERATION_TIMEDOUT";
  e->retry_safe = !t->connected;
  if (t->connected && t->admission.state == ADMISSION_RUNNING)
    pool_leave_silent(&t->admission, t->local_port, now_of(t) - t->active_at);
  end(t, false);
}

/* ---- start ---- */

static bool submit(transfer *t, const char *label)
{
  pool_target to = {.url = &t->target,
                    .identity = t->options->identity,
                    .http1_only = t->options->version == HTTP_1_1,
                    .label = label};
  return pool_submit(t->pool, &t->admission, &to);
}

void transfer_start(transfer *t, const char *label)
{
  /* The script may have computed for long since the loop last looked at the clock. */
  loop_update_now(t->network->loop);
  t->times.queued = now_of(t);
  t->head.limit = t->options->max_headers;
  t->head.http2_allowed = t->target.scheme.length == 5 || t->options->version == HTTP_2_PRIOR_KNOWLEDGE;
  head_reset(&t->head);
  if (t->pool->closed || t->network->run_limits.refusing) {
    metrics *counted = &t->network->metrics;
    admission_count_in(&t->admission, metrics_find_url(counted, label ? label : "", &t->target));
    if (t->pool->closed)
      transfer_cancel(t, "the client is closed");
    else
      transfer_fail_with(t, &t->network->run_limits.reason);
  } else if (!submit(t, label)) {
    transfer_fail_memory(t);
  } else if (t->admission.state == ADMISSION_WAITING) {
    transfer_watch_clock(t);
  }
}

bool transfer_is_idempotent(const transfer *t)
{
  static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (!strcmp(t->method, methods[i])) return true;
  return false;
}

static size_t read_upload(char *to, size_t size, size_t count, void *user)
{
  transfer *t = user;
  size_t left = t->upload_length - t->uploaded, room = size * count;
  size_t length = left < room ? left : room;
  memcpy(to, t->upload + t->uploaded, length);
  t->uploaded += length;
  t->admission.multi->uploads++;
  t->active_at = now_of(t);
  if (t->uploaded == t->upload_length) transfer_limits_changed(t);
  return length;
}

/* libcurl rewinds to send a request again when a reused connection dies before any answer, whatever the
 * method; and, on a new connection too, when HTTP/2 refused its stream: then nothing was processed. */
static int rewind_upload(void *user, curl_off_t offset, int from)
{
  transfer *t = user;
  if (!(transfer_is_idempotent(t) || t->fresh) || from != SEEK_SET || offset < 0 ||
      (size_t)offset > t->upload_length)
    return CURL_SEEKFUNC_FAIL;
  t->uploaded = (size_t)offset;
  return CURL_SEEKFUNC_OK;
}

static void set_upload(transfer *t)
{
  CURL *easy = t->handle->easy;
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->upload_length);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_upload);
  curl_easy_setopt(easy, CURLOPT_READDATA, t);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_upload);
  curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
}

/* Methods that mean a body say so when there is none: Content-Length: 0. */
static bool sends_body(const transfer *t)
{
  static const char *const bodies_expected[] = {"POST", "PUT", "PATCH"};
  if (t->upload) return true;
  for (size_t i = 0; i < sizeof bodies_expected / sizeof *bodies_expected; i++)
    if (!strcmp(t->method, bodies_expected[i])) return true;
  return false;
}

/* A spare easy handle is set to GET without body already. False: out of memory. */
static bool set_method(transfer *t, bool wants_body)
{
  CURLcode result = CURLE_OK;
  bool is_head = !strcmp(t->method, "HEAD");
  if (wants_body) set_upload(t);
  if (is_head) curl_easy_setopt(t->handle->easy, CURLOPT_NOBODY, 1L);
  if (!is_head || wants_body) result = curl_easy_setopt(t->handle->easy, CURLOPT_CUSTOMREQUEST, t->method);
  /* Without bytes of a body to rewind, only a new connection keeps libcurl from sending it twice. */
  if (!t->upload_length && !transfer_is_idempotent(t))
    curl_easy_setopt(t->handle->easy, CURLOPT_FRESH_CONNECT, 1L);
  return result == CURLE_OK;
}

void transfer_set_lines(transfer *t)
{
  bool expects = t->expect_continue && t->upload_length;
  struct curl_slist *lines = header_list_lines(t->headers, sends_body(t), expects);
  if (t->host_line.data && !header_list_has(t->headers, "Host")) {
    t->host_line.next = lines;
    lines = &t->host_line;
  }
  if (t->handle->lines != lines) curl_easy_setopt(t->handle->easy, CURLOPT_HTTPHEADER, lines);
  t->handle->lines = lines;
}

static bool set_request(transfer *t)
{
  CURL *easy = t->handle->easy;
  bool ok = transfer_set_address(t), wants_body = sends_body(t);
  transfer_set_lines(t);
  if (wants_body || strcmp(t->method, "GET")) ok = set_method(t, wants_body) && ok;
  if (t->options->version == HTTP_2_PRIOR_KNOWLEDGE) {
    /* libcurl 7.88 fails every second request on a reused plain HTTP/2 connection. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  }
  if (!t->pool->limits.idle) curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  if (t->handle->multi != t->admission.multi) multi_set_options(t->admission.multi, easy);
  t->handle->multi = t->admission.multi;
  return ok;
}

/* A spare transfer may have one that does not fit. */
static void drop_easy(transfer_handle *h)
{
  if (h->easy) curl_easy_cleanup(h->easy);
  h->easy = NULL;
}

static bool prepare_easy(transfer *t, bool shares)
{
  if (!t->handle) t->handle = calloc(1, sizeof *t->handle);
  transfer_handle *h = t->handle;
  if (!h) return false;
  bool crowd = t->network->running >= CROWD;
  long buffer_size = t->streaming ? STREAM_BUFFER : crowd ? CROWD_BUFFER : BUFFER;
  if (t->streaming || (h->buffer < BUFFER && !crowd)) drop_easy(h);
  /* libcurl 7.88 forgets the TLS session table that a handle made for itself when it is given a share. */
  if (shares && h->ran_alone) drop_easy(h);
  h->ran_alone = !shares;
  h->hint[0] = 0;
  if (h->easy) return true;
  h->easy = transfer_options_new_easy(t->options, buffer_size);
  h->buffer = buffer_size;
  if (!h->easy) return false;
  h->used = h->has_address = false;
  h->multi = NULL;
  h->lines = NULL;
  transfer_set_callbacks(t);
  return true;
}

static void run(admission *a, CURLSH *share)
{
  transfer *t = container_of(a, transfer, admission);
  uint64_t now = now_of(t);
  t->times.dispatched = t->active_at = now;
  t->answered_before = pool_answers(a);
  if (!t->deadline && t->options->total) t->deadline = now + t->options->total;
  if (!prepare_easy(t, share) || !set_request(t)) {
    transfer_fail_memory(t); /* unless a failure is set */
    return;
  }
  /* Names and TLS sessions are shared; a plain numeric address needs neither. */
  if (share) curl_easy_setopt(t->handle->easy, CURLOPT_SHARE, share);
  transfer_set_external(t, true); /* until it is connected, nobody knows */
  t->easy_in_multi = multi_add(t->admission.multi, t->handle->easy);
  if (!t->easy_in_multi) {
    transfer_fail_memory(t);
    return;
  }
  transfer_watch_clock(t);
}

/* ---- end ---- */

static uint64_t info_time(CURL *easy, CURLINFO which)
{
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy, which, &microseconds);
  return microseconds > 0 ? (uint64_t)microseconds * 1000 : 0;
}

/* What only libcurl knows, read before the handle goes back. */
static void collect_info(transfer *t)
{
  long connects = 0, request_size = 0;
  curl_easy_getinfo(t->handle->easy, CURLINFO_NUM_CONNECTS, &connects);
  curl_easy_getinfo(t->handle->easy, CURLINFO_REQUEST_SIZE, &request_size);
  t->bytes_sent = (uint64_t)request_size + t->uploaded;
  t->reused = t->connected && connects == 0;
  if (t->reused) return;
  if (t->time == &t->network->loop->virtual) {
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
  loop_update_now(t->network->loop);
  uint64_t first_byte = t->times.dispatched + info_time(t->handle->easy, CURLINFO_STARTTRANSFER_TIME_T);
  if (t->times.first_byte && t->times.first_byte < first_byte) t->times.first_byte = first_byte;
}

/* Only the handle of an exchange that went well, and that needed no options of its own, is used again. */
static bool is_reusable(const transfer *t)
{
  return !t->streaming && !t->upload && !strcmp(t->method, "GET") && !t->connect_to && !t->head.must_close &&
         t->options->version != HTTP_2_PRIOR_KNOWLEDGE;
}

/* Takes the easy handle back from libcurl, if that ever got it. Only after an exchange that went well
 * (`clean`) is it used again: method and body that were set for a request which failed before it began would
 * go out with the next. */
static void release_easy(transfer *t, bool clean)
{
  if (t->easy_in_multi && t->paused) { /* libcurl 7.88 would never free what it holds of an HTTP/2 stream */
    t->given_up = true;
    curl_easy_pause(t->handle->easy, CURLPAUSE_CONT);
  }
  if (t->easy_in_multi) multi_remove(t->admission.multi, t->handle->easy);
  t->easy_in_multi = false;
  if (t->handle && (!clean || !is_reusable(t))) drop_easy(t->handle);
  if (t->handle && t->handle->easy && !t->handle->ran_alone)
    curl_easy_setopt(t->handle->easy, CURLOPT_SHARE, NULL);
  if (t->handle && t->handle->easy && t->verbose) curl_easy_setopt(t->handle->easy, CURLOPT_VERBOSE, 0L);
  curl_slist_free_all(t->connect_to);
  free(t->host_line.data);
  t->connect_to = NULL;
  t->host_line.data = NULL;
}

/* No descriptor was left for its socket: it was never sent, and waits for another turn. */
static bool wait_for_descriptor(transfer *t, const multi_result *result)
{
  long os_error = 0; /* none: it did not come to a connection */
  if (t->connected || !result->no_descriptor || result->code != CURLE_COULDNT_CONNECT) return false;
  if (curl_easy_getinfo(t->handle->easy, CURLINFO_OS_ERRNO, &os_error) != CURLE_OK || os_error) return false;
  release_easy(t, false);
  transfer_set_external(t, false);
  if (t->deadline == t->times.dispatched + t->options->total) t->deadline = 0; /* nothing was begun */
  pool_requeue(&t->admission);
  transfer_limits_changed(t); /* again that of the queue */
  return true;
}

/* HTTP/2 refused it, so nothing was processed, but the server answered others meanwhile: it takes a few
 * requests over each connection only (nginx: keepalive_requests), or a few at once. In its turn this one is
 * taken, too. */
static bool wait_for_stream(transfer *t)
{
  const error *e = t->failure;
  if (!e || e->kind != ERROR_protocol || !e->retry_safe || !t->connected || t->head.complete) return false;
  if (pool_answers(&t->admission) == t->answered_before) return false;
  if (e != &out_of_memory) free(t->failure);
  t->failure = NULL;
  release_easy(t, false);
  transfer_set_external(t, false);
  t->connected = t->fresh = false;
  t->connects = 0;
  t->uploaded = 0;
  head_reset(&t->head);
  pool_requeue(&t->admission);
  transfer_limits_changed(t);
  return true;
}

/* The server answered without waiting for all of the request's body, and then took no more of it. */
static bool is_answered(const transfer *t)
{
  return t->head.complete && t->head.content_length >= 0 &&
         t->bytes_received >= (uint64_t)t->head.content_length;
}

static void finish(transfer *t, const multi_result *result)
{
  if (wait_for_descriptor(t, result)) return;
  bool clean = result->code == CURLE_OK || (result->code == CURLE_SEND_ERROR && is_answered(t));
  collect_info(t);
  if (result->code == CURLE_OK) surplus_check(t);
  if (clean && !t->failure)
    transfer_check_complete(t);
  else
    transfer_failure_set(t, result);
  if (wait_for_stream(t)) return;
  if (t->failure && t->failure->kind == ERROR_dns)
    pool_origin_unresolved(&t->admission, t->failure);
  else if (t->failure)
    pool_origin_known(&t->admission, pool_origin_is_http2(&t->admission));
  end(t, clean);
}

static bool on_finished(multi_job *job, const multi_result *result)
{
  transfer *t = container_of(job, transfer, job);
  bool has_text = result->code != CURLE_OK && t->handle->hint[0];
  finish(t, result);
  return has_text;
}

/* An HTTP/2 connection may bring something at any time. */
static bool expects_more(const multi_job *job)
{
  const transfer *t = container_of(job, const transfer, job);
  return !t->head.complete || t->paused || t->head.version == 20;
}
