#include "net/pool/metrics.h"

#include "net/transfer/transfer.h"

#include <stdlib.h>
#include <string.h>

/* ---- series ---- */

static size_t hash_bytes(size_t hash, const char *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
  return hash * 31;
}

/* A label without what is beyond METRICS_LABEL_MAX; not half a character of UTF-8 either. */
static size_t label_length(const char *label)
{
  size_t length = strnlen(label, METRICS_LABEL_MAX + 1);
  if (length <= METRICS_LABEL_MAX) return length;
  length = METRICS_LABEL_MAX;
  while (length && ((unsigned char)label[length] & 0xc0) == 0x80) length--;
  return length;
}

bool metrics_has_label(const metrics_series *s, const char *label) { return !strcmp(s->label, label); }

static bool grow(metrics *m)
{
  size_t capacity = m->capacity ? m->capacity * 2 : 16;
  metrics_series **buckets = calloc(capacity, sizeof(metrics_series *));
  if (!buckets) return false;
  for (metrics_series *s = m->first; s; s = s->next) {
    metrics_series **place = &buckets[s->hash & (capacity - 1)];
    s->next_in_bucket = *place;
    *place = s;
  }
  free(m->buckets);
  m->buckets = buckets;
  m->capacity = capacity;
  return true;
}

static metrics_series *make(metrics *m, const char *label, const char *site)
{
  metrics_series *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->label = strndup(label, label_length(label));
  s->origin = strdup(site);
  if (!s->label || !s->origin) {
    free(s->label);
    free(s->origin);
    free(s);
    return NULL;
  }
  if (!m->first) m->last = &m->first;
  *m->last = s;
  m->last = &s->next;
  m->count++;
  return s;
}

metrics_series *metrics_find(metrics *m, const char *label, const char *site)
{
  size_t length = label_length(label), hash = hash_bytes(0xcbf29ce484222325u, site, strlen(site));
  hash = hash_bytes(hash, label, length);
  metrics_series *s = m->capacity ? m->buckets[hash & (m->capacity - 1)] : NULL;
  for (; s; s = s->next_in_bucket)
    if (s->hash == hash && !strcmp(s->origin, site) && !strncmp(s->label, label, length) && !s->label[length])
      return s;
  if (m->count >= METRICS_SERIES_MAX) {
    if (!m->other) m->other = make(m, "other", "other");
    return m->other;
  }
  if (m->count >= m->capacity && !grow(m)) return NULL;
  s = make(m, label, site);
  if (!s) return NULL;
  s->hash = hash;
  metrics_series **place = &m->buckets[hash & (m->capacity - 1)];
  s->next_in_bucket = *place;
  *place = s;
  return s;
}

metrics_series *metrics_find_url(metrics *m, const char *label, const url *u)
{
  buffer site = {0};
  metrics_series *s = url_write_origin(u, &site) ? metrics_find(m, label, site.bytes) : NULL;
  buffer_free(&site);
  return s;
}

void metrics_free(metrics *m)
{
  for (metrics_series *s = m->first, *next; s; s = next) {
    next = s->next;
    free(s->label);
    free(s->origin);
    free(s);
  }
  free(m->buckets);
  *m = (metrics){0};
}

/* ---- counting ---- */

static void count_status(metrics_series *s, int status)
{
  for (size_t i = 0; i < METRICS_STATUSES; i++) {
    metrics_status *entry = &s->statuses[i];
    if (!entry->count) entry->status = status;
    if (entry->status != status) continue;
    entry->count++;
    return;
  }
  s->other_statuses++;
}

static void record_span(histogram *h, uint64_t from, uint64_t to)
{
  if (from && to > from) histogram_record(h, (to - from) / 1000);
}

void metrics_record(metrics_series *s, const transfer *t, bool canceled)
{
  const transfer_times *times = &t->times;
  uint64_t dispatched = times->dispatched;
  if (t->failure) canceled = t->failure->kind == ERROR_canceled;
  s->attempts++;
  if (t->failure || canceled)
    s->errors[t->failure ? t->failure->kind : ERROR_canceled]++;
  else
    count_status(s, t->head.status);
  s->bytes_received += t->bytes_received + t->head.received;
  s->bytes_sent += t->bytes_sent;
  /* What is known only of attempts that libcurl has ended: these have sent something. */
  if (t->connected && t->bytes_sent) (t->reused ? &s->connections_reused : &s->connections_made)[0]++;
  uint64_t waited = (dispatched ? dispatched : times->ended) - times->queued;
  uint64_t for_rate = times->rate < waited ? times->rate : waited;
  s->rate_wait += for_rate;
  s->slot_wait += waited - for_rate;
  if (!dispatched || canceled) return;
  record_span(&s->first_byte, dispatched, times->first_byte);
  record_span(&s->duration, dispatched, times->ended);
}

void metrics_count_refusal(metrics_series *s, error_kind kind)
{
  s->attempts++;
  s->errors[kind]++;
}

void metrics_count_event(metrics_series *s, const char *what, double seconds)
{
  for (size_t i = 0; i < METRICS_EVENTS; i++) {
    metrics_event *event = &s->events[i];
    if (!event->count) strncpy(event->what, what, sizeof event->what - 1);
    if (strncmp(event->what, what, sizeof event->what - 1)) continue;
    event->count++;
    event->seconds += seconds;
    return;
  }
}
