/* What one runtime may do in all: how many requests it may start, how many bytes it may receive. Once a
 * budget is used up, or a program drains, no request starts any more: those that wait and those to come end
 * with the reason. */
#ifndef LURCHER_NET_RUN_LIMITS_H
#define LURCHER_NET_RUN_LIMITS_H

#include "core/error.h"
#include "core/loop/loop.h"

typedef enum {
  REFUSES_NONE,
  REFUSES_NEW, /* but not those that were granted: they started once, and wait again for a descriptor */
  REFUSES_ALL
} refusing;

typedef struct {
  uint64_t max_requests, max_bytes; /* UINT64_MAX: no limit */
  uint64_t requests;                /* started */
  uint64_t bytes;                   /* received, heads included */
  uint64_t refused;                 /* requests that a budget kept from starting, or ended */
  refusing refusing;
  bool ends_running; /* what runs ends too, after this batch */
  bool draining;     /* refuses because the program is about to end, not for a budget */
  error reason;
  deferred enforce;

  /* For the owner: the first request was refused for a budget; nothing runs (any more) after that. Called in
   * the midst of things: no transfer may be started or ended. */
  void (*on_refusal)(void *user);
  void (*on_idle)(void *user);
  void *user;
} run_limits;

/* Within a network. No limits yet. */
void run_limits_init(run_limits *l);
void run_limits_deinit(run_limits *l);

/* From now on no request starts, for this reason. Those that wait end after this batch. */
void run_limits_refuse(run_limits *l, const error *reason);

/* The same because the program is about to end: kind "canceled". */
void run_limits_drain(run_limits *l);

/* A request that ran waits again. */
void run_limits_requeued(run_limits *l);

/* A request was not started, or ended, for the reason. */
void run_limits_refused(run_limits *l);

/* Whether a request may start now. */
static inline bool run_limits_lets_start(const run_limits *l, bool granted)
{
  return granted ? l->refusing != REFUSES_ALL : l->refusing == REFUSES_NONE;
}

void run_limits_requests_spent(run_limits *l);
bool run_limits_bytes_spent(run_limits *l);

/* A request starts. */
static inline void run_limits_start(run_limits *l, bool *granted)
{
  if (*granted) return;
  *granted = true;
  if (++l->requests >= l->max_requests) run_limits_requests_spent(l);
}

/* Bytes came. False: more than there may be; the request has to end. Safe inside a libcurl callback. */
static inline bool run_limits_receive(run_limits *l, size_t length)
{
  l->bytes += length;
  return l->bytes < l->max_bytes || run_limits_bytes_spent(l);
}

#endif
