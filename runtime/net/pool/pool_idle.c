#include "net/pool/pool_idle.h"
#include "net/curl/multi_idle.h"

#include "core/container_of.h"
#include "net/pool/connection_group.h"
#include "net/pool/origin.h"

static const uint64_t TRIM_INTERVAL = 1000 * MILLISECOND;
static const uint64_t IDLE_TRIM_INTERVAL = 50 * MILLISECOND;

static size_t idle_connections(const multi *m)
{
  size_t open = multi_connections(m);
  return open > m->in_flight ? open - m->in_flight : 0;
}

size_t pool_connections(const pool *p)
{
  size_t count = 0;
  for (connection_group *c = p->connection_groups; c; c = c->next)
    for (size_t i = 0; i < c->multi_count; i++) count += multi_connections(c->multis[i]);
  return count;
}

/* Closes the multis whose connections were idle for too long, and as many others as are more than may idle;
 * those of the last multis first, since the first are filled first. */
static void trim(pool *p, bool all)
{
  uint64_t now = clock_now(p->time), timeout = p->limits.idle_timeout;
  size_t idle = 0;
  for (connection_group *c = p->connection_groups; c; c = c->next)
    for (size_t i = 0; i < c->multi_count; i++) idle += idle_connections(c->multis[i]);
  for (connection_group *c = p->connection_groups; c; c = c->next)
    for (size_t i = c->multi_count; i-- > 0;) {
      multi *m = c->multis[i];
      bool old = timeout && now - m->idle_since >= timeout;
      if (m->in_flight || !m->handle || !(all || old || idle > p->limits.idle)) continue;
      size_t here = idle_connections(m), surplus = idle > p->limits.idle ? idle - p->limits.idle : 0;
      if (all || old || surplus >= here) {
        multi_close_idle(m);
        idle -= here;
      } else {
        multi_end_idle(m, surplus);
        idle -= surplus;
      }
    }
}

static void on_trim(timer *t)
{
  pool *p = container_of(t, pool, trim);
  trim(p, false);
  if (!p->in_flight && p->origins.count > 256) origins_forget_idle(p);
  size_t connections = pool_connections(p);
  if (connections && (p->limits.idle_timeout || connections > p->limits.idle)) pool_trim_later(p);
}

/* Soon when nothing runs and more connections are left than may idle: a pause between two requests of a busy
 * script should not cost connections that the next ones would use. */
static uint64_t trim_interval(const pool *p)
{
  uint64_t timeout = p->limits.idle_timeout;
  if (!p->in_flight && pool_connections(p) > p->limits.idle) return IDLE_TRIM_INTERVAL;
  return timeout && timeout < TRIM_INTERVAL ? timeout : TRIM_INTERVAL;
}

void pool_trim_later(pool *p)
{
  if (timer_active(&p->trim) && p->in_flight) return;
  uint64_t due = clock_now(p->time) + trim_interval(p);
  if (!timer_active(&p->trim) || due < p->trim.due) clock_start(p->time, &p->trim, due, on_trim);
}

void pool_close_idle(pool *p) { trim(p, true); }
