#include "core/loop/virtual_run.h"

#include "core/loop/loop.h"

#include <poll.h>
#include <string.h>

static const uint64_t SECOND = 1000 * MILLISECOND;

void local_server_add(loop *l, local_server *s) { list_append(&l->local_servers, &s->link); }

void local_server_remove(local_server *s) { list_remove(&s->link); }

bool local_server_find(const loop *l, int port, const char *path)
{
  list_each (link, &l->local_servers) {
    const local_server *s = container_of(link, local_server, link);
    if (s->port == port && (port || !strcmp(s->path, path))) return true;
  }
  return false;
}

void virtual_run_begin(loop *l, uint64_t patience, uint64_t time_of_day)
{
  /* From a whole second on: sums of whole seconds are exact as `double`, too. */
  loop_update_now(l);
  l->virtual.now = (l->virtual.now / SECOND + 1) * SECOND;
  l->run = (virtual_run){.on = true, .patience = patience};
  l->run.wall_offset = (int64_t)time_of_day - (int64_t)l->virtual.now;
}

void virtual_run_end(loop *l)
{
  l->run.on = false;
  l->run.look_at = 0;
  l->virtual_ahead = (int64_t)(l->virtual.now - uv_hrtime());
}

/* A busy kernel hands bytes between two sockets of this process on a moment late, and a skip of seconds in
 * that moment ends requests by their limits. So it is given one before such a skip, where a server is here.
 */
enum { KERNEL_MOMENT = 2 /* real milliseconds */ };

static int moment_before(const loop *l, uint64_t due)
{
  bool is_long = due >= l->virtual.now + SECOND;
  return is_long && list_first(&l->local_servers) ? KERNEL_MOMENT : 0;
}

static bool events_wait(const loop *l, int moment)
{
  struct pollfd backend = {.fd = uv_backend_fd(l->uv), .events = POLLIN};
  return poll(&backend, 1, moment) != 0;
}

/* Sockets that are first watched in one turn are polled only in the next, so it takes two without any
 * event to know that nothing is on its way. */
static bool is_quiet(loop *l, uint64_t due)
{
  virtual_run *run = &l->run;
  bool was_silent = run->silent && run->events == l->events;
  run->events = l->events;
  run->silent = !events_wait(l, was_silent ? moment_before(l, due) : 0);
  return was_silent && run->silent;
}

bool virtual_run_step(loop *l)
{
  virtual_run *run = &l->run;
  timer *first = clock_first(&l->virtual);
  run->look_at = 0;
  if (!first || first->due >= CLOCK_NEVER || l->jobs || !l->holds) {
    run->silent = false;
    return false;
  }
  if (!is_quiet(l, first->due)) return true;
  uint64_t look_at = run->last_activity + run->patience;
  if (l->external_requests && uv_hrtime() < look_at) {
    run->look_at = look_at;
    return false;
  }
  run->silent = false;
  l->virtual.now = first->due;
  clock_fire(&l->virtual);
  return true;
}
