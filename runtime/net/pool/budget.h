/* What one runtime may do in all: how many requests it may start, how many bytes it may receive. Once a
 * budget is used up, or a program drains, no request starts any more: those that wait and those to come end
 * with the reason. */
#ifndef LURCHER_NET_BUDGET_H
#define LURCHER_NET_BUDGET_H

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
} budget;

/* Within a network. No limits yet. */
void budget_init(budget *b);
void budget_deinit(budget *b);

/* From now on no request starts, for this reason. Those that wait end after this batch. */
void budget_refuse(budget *b, const error *reason);

/* The same because the program is about to end: kind "canceled". */
void budget_drain(budget *b);

/* A request that ran waits again. */
void budget_requeued(budget *b);

/* A request was not started, or ended, for the reason. */
void budget_refused(budget *b);

/* Whether a request may start now. */
static inline bool budget_lets_start(const budget *b, bool granted)
{
  return granted ? b->refusing != REFUSES_ALL : b->refusing == REFUSES_NONE;
}

void budget_requests_spent(budget *b);
bool budget_bytes_spent(budget *b);

/* A request starts. */
static inline void budget_start(budget *b, bool *granted)
{
  if (*granted) return;
  *granted = true;
  if (++b->requests >= b->max_requests) budget_requests_spent(b);
}

/* Bytes came. False: more than there may be; the request has to end. Safe inside a libcurl callback. */
static inline bool budget_receive(budget *b, size_t length)
{
  b->bytes += length;
  return b->bytes < b->max_bytes || budget_bytes_spent(b);
}

#endif
