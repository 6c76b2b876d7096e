#include "net/transfer/transfer_nudge.h"

#include "core/container_of.h"
#include "net/transfer/transfer.h"
#include "net/transfer/transfer_limits.h"

#include <stdlib.h>

enum { ALIGNMENT = 16 }; /* of what malloc returns */

const uint64_t NUDGE_AFTER = 150 * MILLISECOND;

typedef struct transfer_nudge_job {
  multi_job job;
  transfer *asker;
} transfer_nudge_job;

void transfer_nudge_note(transfer *t, const char *bytes, size_t length)
{
  transfer_exchange *x = &t->exchange;
  /* What comes with the head lies behind it in the buffer. */
  if (!t->response.bytes_received)
    t->handle->buffer_start = bytes - ((uintptr_t)bytes % ALIGNMENT ? t->response.head.received : 0);
  if (bytes == t->handle->buffer_start) {
    x->may_lack_end = x->was_full;
    x->was_full = false;
  }
  if (bytes + length == t->handle->buffer_start + t->handle->buffer) x->was_full = true;
  if (transfer_nudge_is_due(t)) transfer_limits_changed(t);
}

bool transfer_nudge_is_due(const transfer *t)
{
  return t->exchange.may_lack_end && !t->exchange.nudge && t->response.head.content_length < 0 &&
         t->exchange.flow == FLOW_ON;
}

static bool on_answered(multi_job *job, const multi_result *result)
{
  (void)result;
  transfer_nudge_end(container_of(job, transfer_nudge_job, job)->asker);
  return false;
}

static bool is_awaited(const multi_job *job)
{
  (void)job;
  return true;
}

static bool never(multi_job *job)
{
  (void)job;
  return false;
}

static bool is_connecting(const multi_job *job)
{
  (void)job;
  return false;
}

static const multi_job_class nudging = {on_answered, is_awaited, never, is_connecting};

static size_t discard(char *bytes, size_t size, size_t count, void *user)
{
  (void)bytes;
  (void)user;
  return size * count;
}

/* With the options of the transfer's own, so that libcurl takes the same connection. */
static CURL *new_easy(const transfer *t, multi_job *job)
{
  CURL *easy = curl_easy_duphandle(t->handle->easy);
  if (!easy) return NULL;
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "OPTIONS");
  curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, "*");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 0L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L);
  curl_easy_setopt(easy, CURLOPT_VERBOSE, 0L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, NULL);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, discard);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
  if (t->options->version == HTTP_2_PRIOR_KNOWLEDGE) /* see set_prior_knowledge */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_0);
  multi_set_options(t->admission.multi, easy);
  return easy;
}

void transfer_nudge(transfer *t)
{
  t->exchange.may_lack_end = false;
  transfer_nudge_job *n = calloc(1, sizeof *n);
  CURL *easy = n ? new_easy(t, &n->job) : NULL;
  if (!easy) {
    free(n);
    return;
  }
  n->job.class = &nudging;
  n->asker = t;
  if (multi_add(t->admission.multi, &n->job, easy)) {
    t->exchange.nudge = n;
    return;
  }
  curl_easy_cleanup(easy);
  free(n);
}

void transfer_nudge_end(transfer *t)
{
  transfer_nudge_job *n = t->exchange.nudge;
  if (!n) return;
  t->exchange.nudge = NULL;
  multi_remove(t->admission.multi, &n->job);
  curl_easy_cleanup(n->job.easy);
  free(n);
}
