/* A virtual run: the loop's virtual clock stands still, and skips to its first timer when nothing else can
 * happen:
 *
 *   - no task is ready, nothing is deferred, no file is worked on and no name looked up;
 *   - a whole turn of the loop brought no event, and none is waiting now;
 *   - while another process may still answer (loop.external_requests), it has been silent for `patience`.
 *
 * Timers of the real clock do not count: those who wait for them are not part of the run. */
#ifndef LURCHER_CORE_VIRTUAL_RUN_H
#define LURCHER_CORE_VIRTUAL_RUN_H

#include "core/list.h"
#include "core/loop/clock.h"

struct loop;

typedef struct {
  bool on;
  bool silent;            /* the turn before brought nothing */
  unsigned events;        /* the loop's count at the last check */
  uint64_t last_activity; /* real time at which bytes of an external request last moved */
  uint64_t patience;      /* real nanoseconds */
  uint64_t look_at;       /* real time at which to look again; 0: none */
  int64_t wall_offset;    /* the virtual time of day minus the virtual clock, nanoseconds */
} virtual_run;

/* A server of this process: once no event is waiting, its answer is not on the way. Part of what listens. */
typedef struct local_server local_server;

struct local_server {
  list_link link;
  int port; /* 0: `path` of a Unix socket */
  const char *path;
};

void local_server_add(struct loop *l, local_server *s);
void local_server_remove(local_server *s);

/* Whether one listens there; `path` counts only for port 0. */
bool local_server_find(const struct loop *l, int port, const char *path);

/* Begins a run; none may be on. `time_of_day`: nanoseconds since 1970 that it is at first. */
void virtual_run_begin(struct loop *l, uint64_t patience, uint64_t time_of_day);

/* Ends it. */
void virtual_run_end(struct loop *l);

/* Before the loop waits: skips if it may. True: it may not wait, since it has to look again or something is
 * due. */
bool virtual_run_step(struct loop *l);

#endif
