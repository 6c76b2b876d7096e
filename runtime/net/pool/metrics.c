#include "net/pool/metrics.h"

#include "core/container_of.h"
#include "format/url/url_text.h"

#include <stdlib.h>
#include <string.h>

/* ---- series ---- */

/* A label without what is beyond METRICS_MAX_LABEL; not half a character of UTF-8 either. */
static size_t label_length(const char *label)
{
  size_t length = strnlen(label, METRICS_MAX_LABEL + 1);
  if (length <= METRICS_MAX_LABEL) return length;
  length = METRICS_MAX_LABEL;
  while (length && ((unsigned char)label[length] & 0xc0) == 0x80) length--;
  return length;
}

bool metrics_has_label(const metrics_series *s, const char *label) { return !strcmp(s->label, label); }

static void free_series(metrics_series *s)
{
  free(s->label);
  free(s->origin);
  free(s);
}

static metrics_series *new_series(const char *label, const char *site)
{
  metrics_series *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->label = strndup(label, label_length(label));
  s->origin = strdup(site);
  if (s->label && s->origin) return s;
  free_series(s);
  return NULL;
}

/* Adds it behind those made before it. */
static metrics_series *append(metrics *m, metrics_series *s)
{
  if (!m->first) m->last = &m->first;
  *m->last = s;
  m->last = &s->next;
  return s;
}

/* What is counted of all that has no series of its own. */
static metrics_series *other_series(metrics *m)
{
  if (m->other) return m->other;
  m->other = new_series("other", "other");
  return m->other ? append(m, m->other) : NULL;
}

typedef struct {
  const char *site, *label;
  size_t length; /* of the label */
} series_key;

static bool same_series(const table_entry *e, const void *wanted)
{
  const metrics_series *s = container_of(e, const metrics_series, entry);
  const series_key *key = wanted;
  return !strcmp(s->origin, key->site) && !strncmp(s->label, key->label, key->length) &&
         !s->label[key->length];
}

metrics_series *metrics_find(metrics *m, const char *label, const char *site)
{
  series_key key = {site, label, label_length(label)};
  uint64_t hash = table_hash(TABLE_HASH_START, site, strlen(site) + 1);
  hash = table_hash(hash, label, key.length);
  table_entry *found = table_find(&m->table, hash, same_series, &key);
  if (found) return container_of(found, metrics_series, entry);
  if (m->table.count >= METRICS_MAX_SERIES) return other_series(m);
  metrics_series *s = new_series(label, site);
  if (s && table_add(&m->table, &s->entry, hash)) return append(m, s);
  if (s) free_series(s);
  return NULL;
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
    free_series(s);
  }
  table_free(&m->table);
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

static void record_span(histogram *h, uint64_t nanoseconds)
{
  if (nanoseconds) histogram_record(h, nanoseconds / 1000);
}

void metrics_open_stream(metrics_series *s)
{
  if (!s) return;
  s->http2_streams++;
  if (++s->http2_open > s->http2_most) s->http2_most = s->http2_open;
}

void metrics_close_stream(metrics_series *s)
{
  if (s) s->http2_open--;
}

void metrics_record(metrics_series *s, const metrics_attempt *a)
{
  uint64_t for_rate = a->rate_wait < a->waited ? a->rate_wait : a->waited;
  s->attempts++;
  if (a->failure < ERROR_KIND_COUNT)
    s->errors[a->failure]++;
  else
    count_status(s, a->status);
  s->bytes_received += a->bytes_received;
  s->bytes_sent += a->bytes_sent;
  /* What is known only of attempts that libcurl has ended: these have sent something. */
  if (a->connected && a->bytes_sent) (a->reused ? &s->connections_reused : &s->connections_made)[0]++;
  if (a->http2 && a->connected && a->bytes_sent && !a->reused) s->http2_connections++;
  s->rate_wait += for_rate;
  s->slot_wait += a->waited - for_rate;
  if (a->failure == ERROR_canceled) return;
  record_span(&s->first_byte, a->first_byte);
  record_span(&s->duration, a->duration);
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
