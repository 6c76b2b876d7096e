#include "net/transfer/transfer.h"

#include "core/container_of.h"
#include "net/transfer/transfer_body.h"
#include "net/transfer/transfer_failure.h"
#include "net/transfer/transfer_limits.h"
#include "net/transfer/transfer_memory.h"
#include "net/transfer/transfer_permit.h"
#include "net/transfer/transfer_played.h"
#include "net/transfer/transfer_proxy.h"
#include "net/transfer/transfer_receive.h"
#include "net/transfer/transfer_summary.h"
#include "net/transfer/transfer_surplus.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SPARES = 1024 };

/* With one byte more, mimalloc would take 128 more for each. */
_Static_assert(sizeof(transfer) <= 896, "a transfer has outgrown the allocator's class");

static error out_of_memory = {.kind = ERROR_limit, .message = "out of memory"};

/* ---- life ---- */

static void run(admission *a, CURLSH *share);

static void fail_waiting(admission *a, const error *why)
{
  transfer_fail_with(container_of(a, transfer, admission), why);
}

static const admission_class in_pool = {run, fail_waiting};

static bool on_finished(multi_job *job, const multi_result *result);
static bool expects_more(const multi_job *job);
static bool may_connect(multi_job *job);
static bool may_reach(multi_job *job, struct curl_sockaddr *address);
static bool connects(const multi_job *job);

static const multi_job_class in_multi = {on_finished, expects_more, may_connect, may_reach, connects};

/* A spare one is in no queue: its place in the list of spares is that of the queue. */
static transfer *take_spare(transfer_options *options)
{
  list_link *link = list_take_first(&options->spares);
  return link ? container_of(link, transfer, admission.item.link) : NULL;
}

transfer *transfer_new(pool *p, transfer_options *options, header_list *headers, loop_clock *time)
{
  transfer *t = take_spare(options);
  if (t) {
    options->spare_count--;
  } else {
    t = calloc(1, sizeof *t);
    if (!t) return NULL;
  }
  t->admission.class = &in_pool;
  t->job.class = &in_multi;
  pool_ref(t->pool = p);
  transfer_memory_begin(t);
  transfer_options_ref(t->options = options);
  header_list_ref(t->request.headers = headers);
  t->time = time;
  return t;
}

static void free_really(transfer *t)
{
  transfer_handle_free(t->handle);
  url_free(&t->request.target);
  transfer_response_free(&t->response);
  free(t);
}

void transfer_free_spares(linked_list *spares)
{
  for (list_link *link; (link = list_take_first(spares));)
    free_really(container_of(link, transfer, admission.item.link));
}

/* Empties it, but keeps its easy handle and the memory of its buffers for the next request of the same
 * options. libcurl keeps no state of a former request that could meet the next: authentication, cookies and
 * redirects are never its own. */
static void recycle(transfer *t, transfer_options *p)
{
  url target = t->request.target;
  transfer_response_reset(&t->response);
  memset(t, 0, offsetof(transfer, response));
  memset(&t->failure, 0, offsetof(transfer, handle) - offsetof(transfer, failure));
  if (t->handle) {
    t->handle->remote_address[0] = 0;
    t->handle->used = true;
  }
  t->request.target = target;
  list_prepend(&p->spares, &t->admission.item.link);
  p->spare_count++;
}

/* Refused, timed out while it ran, or not connected: there may be too many at once. */
static bool is_overload(const transfer *t)
{
  const error *e = t->failure;
  if (!e)
    return t->response.head.complete && (t->response.head.status == 429 || t->response.head.status == 503);
  bool ran_out = e->kind == ERROR_timeout && e->phase && (*e->phase == 'c' || *e->phase == 'r');
  return ran_out || e->kind == ERROR_connect;
}

static origin_sample sample_of(const transfer *t)
{
  const transfer_times *times = &t->times;
  uint64_t began = times->connected > times->dispatched ? times->connected : times->dispatched;
  return (origin_sample){.overloaded = is_overload(t),
                         .answered = t->response.head.complete && times->first_byte >= began,
                         .age = times->ended - times->dispatched,
                         .latency = times->first_byte - began};
}

void transfer_set_external(transfer *t, bool external)
{
  loop *l = t->pool->network->loop;
  if (t->time != &l->virtual || external == t->exchange.external) return;
  l->external_requests += external ? 1u : -1u;
  t->exchange.external = external;
  loop_note_activity(l);
}

/* Leaves the pool and gives back connection, slot and clock. */
static void stop(transfer *t, bool clean)
{
  transfer_body_stop(t);
  if (t->admission.state == ADMISSION_ENDED) return;
  if (t->rider) t->rider->end(t->rider);
  transfer_set_external(t, false);
  if (t->admission.state == ADMISSION_RUNNING) transfer_exchange_end(t, clean);
  if (t->request.upload) upload_close(t->request.upload);
  t->times.ended = clock_now(t->time);
  origin_sample sample = sample_of(t);
  pool_leave(&t->admission, &sample);
}

static void end(transfer *t, bool clean)
{
  if (t->failure && t->exchange.connection == CONNECTION_NONE && t->admission.state == ADMISSION_RUNNING)
    pool_distrust_name(&t->admission);
  stop(t, clean);
  if (!transfer_decodes_rest(t)) operation_complete(&t->op);
}

void transfer_stop(transfer *t) { end(t, false); }

/* A stream may be given up once its head is there; anything else that goes on is cancelled. */
static bool is_given_up(const transfer *t)
{
  return t->admission.state != ADMISSION_ENDED && !(t->response.streaming && t->response.head.complete);
}

static void record(const transfer *t, bool given_up)
{
  metrics_attempt attempt = transfer_attempt(t, given_up);
  metrics_record(t->admission.series, &attempt);
}

static void end_tape(const transfer *t)
{
  const transfer_response *r = &t->response;
  bool is_whole = t->admission.state == ADMISSION_ENDED && r->head.complete && !r->undecoded;
  transfer_tape_end(t->response.tape, &r->head, t->failure, is_whole);
}

void transfer_free(transfer *t)
{
  bool given_up = is_given_up(t);
  end_tape(t);
  stop(t, false);
  if (t->admission.series) record(t, given_up);
  pool_forget(&t->admission);
  operation_reset(&t->op);
  if (t->failure != &out_of_memory) free(t->failure);
  transfer_tape_unref(t->response.tape);
  upload_unref(t->request.upload);
  transfer_progress_unref(t->request.progress);
  transfer_options *options = t->options;
  pool *p = t->pool;
  header_list_unref(t->request.headers);
  transfer_memory_end(t);
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
  run_limits *l = &t->pool->network->run_limits;
  if (t->failure) return;
  *transfer_failure(t) = *why;
  if (why == &l->reason) run_limits_refused(l);
}

void transfer_fail_refused(transfer *t) { set_failure(t, &t->pool->network->run_limits.reason); }

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

void transfer_fail_upload(transfer *t)
{
  error *failure = transfer_failure(t);
  *failure = t->request.upload->failure;
  failure->phase = "write";
}

void transfer_fail_reading(transfer *t, const error *e)
{
  error *failure = transfer_failure(t);
  error_set(failure, e->kind, e->phase ? e->phase : "read", "%s (from %s)", e->message,
            transfer_peer_name(t));
  failure->limit = e->limit;
  failure->observed = e->observed;
}

/* ---- start ---- */

static bool submit(transfer *t, const char *label)
{
  pool_target to = {.url = &t->request.target,
                    .identity = t->options->identity,
                    .http1_only = t->options->version == HTTP_1_1,
                    .http2_only = t->options->version == HTTP_2_PRIOR_KNOWLEDGE,
                    .by_proxy = t->options->texts[OPTION_PROXY],
                    .label = label};
  t->admission.deadline = t->request.deadline;
  t->admission.total = t->options->total;
  return pool_submit(t->pool, &t->admission, &to);
}

void transfer_start(transfer *t, const char *label)
{
  /* The script may have computed for long since the loop last looked at the clock. */
  loop_update_now(t->pool->network->loop);
  t->times.queued = clock_now(t->time);
  t->response.head.limit = t->options->max_headers;
  t->response.head.http2_allowed =
      t->request.target.scheme.length == 5 || t->options->version == HTTP_2_PRIOR_KNOWLEDGE;
  t->response.streaming = t->request.streaming;
  t->response.decompress = t->options->decompress;
  size_t most = t->pool->network->max_body;
  t->response.max_body = t->options->max_body < most ? t->options->max_body : most;
  t->response.to_head = !strcmp(t->request.method, "HEAD");
  t->job.picks = true;
  t->job.opened = false;
  head_reset(&t->response.head);
  if (t->pool->closed || t->pool->network->run_limits.refusing) {
    metrics *counted = &t->pool->network->metrics;
    admission_count_in(&t->admission, metrics_find_url(counted, label ? label : "", &t->request.target));
    if (t->pool->closed)
      transfer_cancel(t, "the client is closed");
    else
      transfer_fail_with(t, &t->pool->network->run_limits.reason);
  } else if (!submit(t, label)) {
    transfer_fail_memory(t);
  } else if (t->admission.state == ADMISSION_WAITING) {
    transfer_limits_watch(t);
  }
}

static void wait_for_descriptors(transfer *t);

void transfer_begin(transfer *t)
{
  upload_state body = transfer_exchange_prepare(t);
  transfer_tape_rewind(t->response.tape);
  if (body == UPLOAD_FAILED && upload_is_starved(t->request.upload)) {
    network_out_of_descriptors(t->pool->network);
    wait_for_descriptors(t);
  } else if (body == UPLOAD_FAILED) {
    transfer_fail_upload(t);
    end(t, false);
  } else if (body == UPLOAD_END && t->request.played) {
    transfer_played_begin(t);
  } else if (body == UPLOAD_END && !transfer_exchange_begin(t, t->exchange.share)) {
    transfer_fail_memory(t); /* unless a failure is set */
  } else {
    transfer_limits_watch(t);
  }
}

static void run(admission *a, CURLSH *share)
{
  transfer *t = container_of(a, transfer, admission);
  uint64_t now = clock_now(t->time);
  t->times.dispatched = t->exchange.active_at = now;
  t->exchange.answered_before = pool_answers(a);
  if (!t->request.deadline && t->options->total) t->request.deadline = now + t->options->total;
  transfer_set_external(t, true); /* until it is connected, nobody knows */
  t->exchange.share = share;
  transfer_begin(t);
}

/* ---- end ---- */

/* It has to begin anew, from the queue. */
static void put_back(transfer *t)
{
  transfer_exchange_end(t, false);
  transfer_set_external(t, false);
  if (t->request.upload) upload_rest(t->request.upload);
  pool_requeue(&t->admission);
  transfer_limits_changed(t);
}

/* Since when it waits for a descriptor: its time in the queue counts too while none was left for anybody. */
static uint64_t starved_since(const transfer *t)
{
  const network *n = t->pool->network;
  uint64_t now = clock_now(t->time), since = n->multis.starving_since, age = 0;
  if (since) age = loop_now(n->loop) - since;
  return age < now - t->times.queued ? now - age : t->times.queued;
}

static void wait_for_descriptors(transfer *t)
{
  bool others_run = t->pool->network->running > 1;
  if (others_run && t->request.deadline == t->times.dispatched + t->options->total)
    t->request.deadline = 0; /* nothing was begun */
  if (!t->exchange.starved_at) t->exchange.starved_at = starved_since(t);
  put_back(t); /* its limits are again those of the queue */
}

/* No descriptor was left for its socket: it was never sent, and waits for another turn. */
static bool lacked_descriptor(transfer *t, const multi_result *result)
{
  long os_error = 0; /* none: it did not come to a connection */
  if (t->exchange.connection != CONNECTION_NONE || !result->no_descriptor ||
      result->code != CURLE_COULDNT_CONNECT)
    return false;
  if (curl_easy_getinfo(t->handle->easy, CURLINFO_OS_ERRNO, &os_error) != CURLE_OK || os_error) return false;
  wait_for_descriptors(t);
  return true;
}

/* The addresses that are left out since they did not answer lately come last: now. */
static bool try_skipped_addresses(transfer *t, const multi_result *result)
{
  if (t->exchange.connection != CONNECTION_NONE || !t->job.skipped || result->code != CURLE_COULDNT_CONNECT)
    return false;
  t->job.picks = false;
  t->job.skipped = false;
  put_back(t);
  return true;
}

/* The idle connection that it was given is over, and libcurl has closed it: it takes another. */
static bool leave_stale_connection(transfer *t)
{
  if (!t->exchange.stale || t->failure) return false;
  t->exchange.stale = false;
  put_back(t);
  return true;
}

/* What was sent counts for nothing: it waits for its turn again. */
static void begin_anew(transfer *t)
{
  t->exchange.connection = CONNECTION_NONE;
  t->exchange.uploaded = 0;
  t->exchange.upload_waits = false;
  t->exchange.starved_at = 0;
  head_reset(&t->response.head);
  put_back(t);
}

/* HTTP/2 refused it, so nothing was processed, but the server answered others meanwhile: it takes a few
 * requests over each connection only (nginx: keepalive_requests), or a few at once. In its turn this one is
 * taken, too. */
static bool wait_for_stream(transfer *t)
{
  const error *e = t->failure;
  if (!e || e->kind != ERROR_protocol || !e->retry_safe) return false;
  if (t->exchange.connection == CONNECTION_NONE || t->response.head.complete) return false;
  if (pool_answers(&t->admission) == t->exchange.answered_before) return false;
  if (t->request.upload && !upload_rewind(t->request.upload)) return false;
  if (e != &out_of_memory) free(t->failure);
  t->failure = NULL;
  begin_anew(t);
  return true;
}

/* No stream was left for it, so it waits for one. A server that has refused its stream again and again, and
 * answered nobody meanwhile, will not have any. */
static bool wait_for_connection(transfer *t)
{
  if (!t->exchange.surplus || t->failure) return false;
  t->exchange.surplus = false;
  if (t->exchange.connection == CONNECTION_NONE) {
    put_back(t);
    return true;
  }
  bool is_answering = pool_answers(&t->admission) != t->exchange.answered_before;
  bool is_turned_away = pool_is_turned_away(&t->admission) && !is_answering;
  if (!is_turned_away && (!t->request.upload || upload_rewind(t->request.upload))) {
    if (is_answering) pool_forgive(&t->admission);
    begin_anew(t);
    return true;
  }
  transfer_fail_stream(t);
  if (is_turned_away) pool_end_group(&t->admission, t->failure);
  return false;
}

/* The server refused the expectation (see drop_expectation) and closed the connection. */
static bool repeat_without_expectation(transfer *t)
{
  if (!t->exchange.expectation_refused || t->failure) return false;
  t->exchange.expectation_refused = false;
  if (t->request.upload && !upload_rewind(t->request.upload)) return false;
  begin_anew(t);
  return true;
}

/* The server answered without waiting for all of the request's body, and then took no more of it. */
static bool is_answered(const transfer *t)
{
  return t->response.head.complete && t->response.head.content_length >= 0 &&
         t->response.bytes_received >= (uint64_t)t->response.head.content_length;
}

/* From now on the connection is its rider's, and none of the limits of time holds. */
static void keep_connection(transfer *t)
{
  transfer_exchange_collect(t);
  timer_stop(&t->exchange.clock);
  operation_complete(&t->op);
}

static void finish(transfer *t, const multi_result *result)
{
  if (lacked_descriptor(t, result) || try_skipped_addresses(t, result) || leave_stale_connection(t)) return;
  if (wait_for_connection(t) || repeat_without_expectation(t)) return;
  if (t->request.connect_only && result->code == CURLE_OK) {
    keep_connection(t);
    return;
  }
  bool clean = result->code == CURLE_OK || (result->code == CURLE_SEND_ERROR && is_answered(t));
  transfer_exchange_collect(t);
  if (result->code == CURLE_OK) surplus_check(t);
  if (clean && !t->failure)
    transfer_check_complete(t);
  else if (!t->exchange.ended_by_head || t->failure)
    transfer_failure_set(t, result);
  if (wait_for_stream(t)) return;
  if (t->failure && t->failure->kind == ERROR_dns)
    pool_origin_unresolved(&t->admission, t->failure);
  else if (t->failure && t->exchange.connection == CONNECTION_NONE)
    pool_origin_failed(&t->admission);
  end(t, clean);
}

static bool on_finished(multi_job *job, const multi_result *result)
{
  transfer *t = container_of(job, transfer, job);
  /* A connection that could not be made, or was one too many, tells nothing of the streams of another. */
  bool has_text = result->code != CURLE_OK && result->code != CURLE_COULDNT_CONNECT && t->handle->hint[0];
  finish(t, result);
  return has_text;
}

static bool may_connect(multi_job *job)
{
  transfer *t = container_of(job, transfer, job);
  if (pool_may_connect(&t->admission, !t->exchange.rides)) return true;
  t->exchange.surplus = true;
  return false;
}

static bool may_reach(multi_job *job, struct curl_sockaddr *address)
{
  return transfer_permit_connect(container_of(job, transfer, job), address);
}

/* An HTTP/2 connection may bring something at any time. */
static bool connects(const multi_job *job)
{
  return container_of(job, const transfer, job)->exchange.connection == CONNECTION_NONE;
}

static bool expects_more(const multi_job *job)
{
  const transfer *t = container_of(job, const transfer, job);
  return !t->response.head.complete || t->exchange.flow == FLOW_PAUSED || t->response.head.version == 20;
}
