/* Idle connections of a pool: how many stay, and for how long. */
#include "net/pool/origin.h"

static const uint64_t TRIM_INTERVAL = 1000 * MILLISECOND;
static const uint64_t QUIET_TRIM_INTERVAL = 50 * MILLISECOND;

static size_t idle_connections(const engine *e)
{
  size_t open = engine_connections(e);
  return open > e->in_flight ? open - e->in_flight : 0;
}

size_t pool_connections(const pool *p)
{
  size_t count = 0;
  for (lane *l = p->lanes; l; l = l->next)
    for (size_t i = 0; i < l->engine_count; i++) count += engine_connections(l->engines[i]);
  return count;
}

/* Closes the engines whose connections were idle for too long, and as many others as are more than may idle;
 * those of the last engines first, since the first are filled first. */
static void trim(pool *p, bool all)
{
  uint64_t now = clock_now(p->time), timeout = p->limits.idle_timeout;
  size_t idle = 0;
  for (lane *l = p->lanes; l; l = l->next)
    for (size_t i = 0; i < l->engine_count; i++) idle += idle_connections(l->engines[i]);
  for (lane *l = p->lanes; l; l = l->next)
    for (size_t i = l->engine_count; i-- > 0;) {
      engine *e = l->engines[i];
      bool old = timeout && now - e->idle_since >= timeout;
      if (e->in_flight || !e->multi || !(all || old || idle > p->limits.idle)) continue;
      size_t here = idle_connections(e), surplus = idle > p->limits.idle ? idle - p->limits.idle : 0;
      if (all || old || surplus >= here) {
        engine_close_idle(e);
        idle -= here;
      } else {
        engine_end_idle(e, surplus);
        idle -= surplus;
      }
    }
}

static void on_trim(timer *t)
{
  pool *p = (pool *)((char *)t - offsetof(pool, trim));
  trim(p, false);
  if (!p->in_flight && p->origin_count > 256) origins_forget_idle(p);
  size_t connections = pool_connections(p);
  if (connections && (p->limits.idle_timeout || connections > p->limits.idle)) pool_trim_later(p);
}

/* Soon when nothing runs and more connections are left than may idle: a pause between two requests of a busy
 * script should not cost connections that the next ones would use. */
static uint64_t trim_interval(const pool *p)
{
  uint64_t timeout = p->limits.idle_timeout;
  if (!p->in_flight && pool_connections(p) > p->limits.idle) return QUIET_TRIM_INTERVAL;
  return timeout && timeout < TRIM_INTERVAL ? timeout : TRIM_INTERVAL;
}

void pool_trim_later(pool *p)
{
  if (timer_active(&p->trim) && p->in_flight) return;
  uint64_t due = clock_now(p->time) + trim_interval(p);
  if (!timer_active(&p->trim) || due < p->trim.due) clock_start(p->time, &p->trim, due, on_trim);
}

void pool_close_idle(pool *p) { trim(p, true); }
