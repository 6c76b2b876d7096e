/* Work that may block, done on libuv's thread pool. */
#ifndef LURCHER_CORE_JOB_H
#define LURCHER_CORE_JOB_H

#include "core/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

typedef struct job job;
typedef void (*job_fn)(job *j);

/* Embedded by what it works for; all-zero before its first start. */
struct job {
  uv_work_t request;
  atomic_bool stopped;
  bool running; /* between job_start and `done`; for the loop's thread */
  job_fn work;  /* on a pool thread: may block, sees only its own data */
  job_fn done;  /* on the loop's thread, exactly once per start, even when the work never ran */
};

/* Queues the work. The job must stay in place until `done` was called. It keeps the uv loop alive meanwhile.
 */
void job_start(job *j, uv_loop_t *uv, job_fn work, job_fn done);

/* Asks a started job to end early: one still in the queue never runs, a running one sees job_stopped between
 * its steps. `done` is called all the same, later. */
void job_stop(job *j);

/* True once job_stop was called. Any thread. */
static inline bool job_stopped(job *j) { return atomic_load_explicit(&j->stopped, memory_order_relaxed); }

/* The same, and *e says so. */
bool job_check_stopped(job *j, error *e);

#endif
