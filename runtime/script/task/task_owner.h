/* What each function of lurcher.h does first: whose thread is this, and what is wrong. */
#ifndef LURCHER_SCRIPT_TASK_OWNER_H
#define LURCHER_SCRIPT_TASK_OWNER_H

#include "script/task/task_internal.h"

#include <pthread.h>
#include <stdio.h>

/* Whether this is the thread of the runtime, the one that uses it first, and not within options.permit, where
 * libcurl may be at work. */
static inline bool runtime_is_here(lur_runtime *rt)
{
  uintptr_t none = 0, thread = (uintptr_t)pthread_self();
  bool is_own = atomic_compare_exchange_strong(&rt->thread, &none, thread) || none == thread;
  return is_own && !rt->asking;
}

/* Sets what lur_error returns. */
static inline lur_status runtime_fail(lur_runtime *rt, lur_status status, const char *message)
{
  snprintf(rt->message, sizeof rt->message, "%s", message);
  return status;
}

#endif
