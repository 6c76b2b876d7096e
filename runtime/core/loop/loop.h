/* The event loop of one runtime: a libuv loop (its own or the host's), timers, and the one place where ended
 * operations are handed to their tasks.
 *
 * Order within one turn of the libuv loop: due timers and I/O callbacks run and complete operations; then,
 * before the loop waits again, `loop_drain` resumes the owners and runs what was deferred, in turn, until
 * nothing is left or a time slice is used up (then the loop polls for I/O without waiting and goes on).
 *
 * Everything here belongs to the loop's thread, but for loop_wake. */
#ifndef LURCHER_CORE_LOOP_H
#define LURCHER_CORE_LOOP_H

#include "core/loop/alarm.h"
#include "core/loop/clock.h"
#include "core/loop/operation.h"
#include "core/loop/virtual_run.h"
#include "core/memory_account.h"

#include <stdint.h>
#include <uv.h>

typedef struct deferred deferred;

/* Work to be done once after the current batch: embedded by its user, all-zero at first. */
struct deferred {
  void (*run)(deferred *d);
  list_link link;
};

typedef struct loop loop;

struct loop {
  uv_loop_t *uv;
  uv_prepare_t before_poll; /* drains before the loop waits */
  uv_check_t after_poll;    /* drains what the poll brought */
  uv_idle_t busy;           /* active: more is ready, do not wait */
  loop_alarm alarm;
  uv_async_t wake;
  loop_clock real, virtual;
  int64_t virtual_ahead; /* of the real clock, while no virtual run is on: nanoseconds */
  virtual_run run;
  linked_list local_servers;
  linked_list ready; /* operations that have ended, whose owners are not resumed yet */
  linked_list deferred;
  size_t deferred_count;
  uint64_t slice; /* nanoseconds that tasks may run before the loop looks at its sockets again */
  unsigned holds; /* reasons to keep running */
  unsigned jobs;  /* work under way in threads of this process, that ends by itself: on files, on names */
  unsigned external_requests; /* requests of a virtual run that another process or machine answers */
  unsigned events;            /* counts whatever happens, to see whether anything did */
  unsigned checkpoints;
  unsigned completed; /* since the last drain */
  bool draining, owned, closing;
  bool polled;      /* since the clocks were read */
  int open_handles; /* those above and those of loop_handle_opened, until all close callbacks ran */
  uv_loop_t own;
  memory_account memory; /* of the runtime */

  void (*on_ready)(operation *op, void *user); /* resume the owner of this operation */
  void (*on_wake)(void *user);
  void (*on_closed)(void *user);
  void *user;
};

/* Prepares a loop in place. `uv` NULL: makes its own uv loop. Returns 0 or a libuv error. */
int loop_init(loop *l, uv_loop_t *uv, void *user);

/* Starts closing all of it; `on_closed` is called from the uv loop when the last handle is closed.
 * After that, loop_deinit frees the rest. */
void loop_close(loop *l, void (*on_closed)(void *user));
void loop_deinit(loop *l);

/* For users with libuv handles of their own: `opened` when one is initialised, `closed` at the end of its
 * close callback. The loop is not closed, and so the runtime not freed, before every handle is. */
void loop_handle_opened(loop *l);
void loop_handle_closed(loop *l);

/* Of 5 ms at first; 0: leaves it so. */
void loop_set_slice(loop *l, double seconds);

/* Runs the own uv loop until nothing keeps it alive or uv_stop. */
void loop_run(loop *l);

/* The same for one turn, without waiting. */
void loop_run_ready(loop *l);

/* loop_run returns soon, whatever is left to do. */
void loop_stop(loop *l);

/* The real clock: monotonic time in nanoseconds, read once per batch of events. */
static inline uint64_t loop_now(const loop *l) { return l->real.now; }

/* Reads the clocks again, for work that ran long within one batch. Returns real time. */
uint64_t loop_update_now(loop *l);

/* Called first in a callback of an event that the loop polled for: the poll may have taken long, and the
 * clocks were not read meanwhile. */
static inline void loop_event(loop *l)
{
  if (l->polled) loop_update_now(l);
}

/* The clock of server tasks: virtual during a virtual run, else real. */
static inline loop_clock *loop_serving_clock(loop *l) { return l->run.on ? &l->virtual : &l->real; }

/* Nanoseconds since 1970, as the real clock's user or that of the virtual clock sees it. */
uint64_t loop_time_of_day(const loop *l, const loop_clock *c);

/* Records network activity, for the silence test of virtual runs. */
static inline void loop_note_activity(loop *l)
{
  if (l->external_requests) l->run.last_activity = l->real.now;
}

/* Fires the timers of both clocks that are due. */
void loop_fire_due(loop *l);

/* Keeps the uv loop alive until the matching loop_release, whatever its other handles are. */
void loop_hold(loop *l);
void loop_release(loop *l);

/* The next poll does not wait: something is ready, or deferred. */
void loop_stay_awake(loop *l);
static inline void loop_wake_soon(loop *l)
{
  if (!l->draining && !l->closing) loop_stay_awake(l);
}

/* Queues `d` to run once after the current batch; does nothing when it is queued already. */
void loop_defer(loop *l, deferred *d);

/* Takes `d` off the queue again. */
void loop_undefer(loop *l, deferred *d);

/* Between two events of a large batch, from a libuv callback: if much is ready, fires the timers that
 * are due and drains, while it is still in the cache. */
void loop_checkpoint(loop *l);

/* Any thread, any signal handler: `on_wake` is called on the loop's thread soon. */
void loop_wake(loop *l);

#define NANOSECONDS 1000000000.0
#define MILLISECOND UINT64_C(1000000)

/* Seconds to nanoseconds; capped at about 290 years, negative and NaN count as 0. */
uint64_t loop_nanoseconds(double seconds);

#endif
