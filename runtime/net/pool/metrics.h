/* What was counted of all requests of one runtime, by their label (the option `name`) and origin: a series
 * each. Always on; recording an attempt costs some tens of nanoseconds. Memory is bounded: after
 * METRICS_MAX_SERIES series, all further ones are counted in one called "other". */
#ifndef LURCHER_NET_METRICS_H
#define LURCHER_NET_METRICS_H

#include "core/error.h"
#include "core/histogram.h"
#include "core/table.h"
#include "format/url/url.h"

#include <stdbool.h>

enum {
  METRICS_MAX_SERIES = 1000,
  METRICS_STATUSES = 32,
  METRICS_EVENTS = 16,
  METRICS_EVENT_SIZE = 16,
  METRICS_MAX_LABEL = 200 /* bytes; what is longer is cut */
};

/* One attempt that is over; times in nanoseconds, 0: did not come that far. */
typedef struct {
  error_kind failure; /* ERROR_KIND_COUNT: none */
  int status;         /* if there is no failure */
  bool connected, reused;
  bool http2; /* over HTTP/2: it was a stream of its connection */
  uint64_t bytes_received, bytes_sent;
  uint64_t waited, rate_wait;    /* for its turn; the part of it for a rate, a hold or a limiter */
  uint64_t first_byte, duration; /* from dispatch on */
} metrics_attempt;

typedef struct {
  int status;
  uint64_t count;
} metrics_status;

/* What the layers above decided: "retry", "redirect", … */
typedef struct {
  char what[METRICS_EVENT_SIZE];
  uint64_t count;
  double seconds; /* waited in all because of it */
} metrics_event;

typedef struct metrics_series metrics_series;

struct metrics_series {
  table_entry entry;
  metrics_series *next; /* in the order they were made */
  char *label, *origin; /* "" and "https://host:port" */
  uint64_t waiting, running;
  uint64_t attempts; /* that have ended: each has a status or an error */
  metrics_status statuses[METRICS_STATUSES];
  uint64_t other_statuses; /* once there are too many of them */
  uint64_t errors[ERROR_KIND_COUNT];
  uint64_t bytes_received, bytes_sent;
  uint64_t connections_made, connections_reused;
  uint64_t http2_connections, http2_streams; /* of HTTP/2, and in the ones above, too */
  uint64_t http2_open, http2_most;           /* streams now, and at most at once */
  uint64_t slot_wait, rate_wait;             /* nanoseconds */
  histogram duration, first_byte;            /* microseconds from dispatch on; without cancelled attempts */
  metrics_event events[METRICS_EVENTS];
};

typedef struct {
  hash_table table;
  metrics_series *first, **last;
  metrics_series *other;
} metrics;

void metrics_free(metrics *m);

/* The series of a label and a site ("https://host:port"), made when missing; it lives as long as `m`. NULL:
 * out of memory. */
metrics_series *metrics_find(metrics *m, const char *label, const char *site);

/* The same for the site of a URL. */
metrics_series *metrics_find_url(metrics *m, const char *label, const url *u);

/* Whether the series is that of this label, its origin being the right one. */
bool metrics_has_label(const metrics_series *s, const char *label);

/* Counts an attempt. */
void metrics_record(metrics_series *s, const metrics_attempt *attempt);

/* Counts an attempt that was refused before it became a transfer. */
void metrics_count_refusal(metrics_series *s, error_kind kind);

/* An attempt becomes a stream of an HTTP/2 connection, or is none any more. NULL: is not counted. */
void metrics_open_stream(metrics_series *s);
void metrics_close_stream(metrics_series *s);

/* Counts a decision, with the seconds that are waited because of it. */
void metrics_count_event(metrics_series *s, const char *what, double seconds);

#endif
