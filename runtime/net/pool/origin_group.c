#include "net/pool/origin_group.h"

#include "core/container_of.h"
#include "net/pool/connection_group.h"
#include "net/pool/origin.h"

#include <stdlib.h>
#include <string.h>

/* How long those that make a connection may keep the others waiting. */
static const uint64_t GRACE = 250 * MILLISECOND;

/* How long the server's first words over a new connection may take. */
static const uint64_t SETTLING = 50 * MILLISECOND;

/* Requests of one origin on one multi: libcurl searches a multi's connections for each, and a multi
 * takes 35 KB. With few in flight, short searches; beyond 4,000, memory counts. */
static size_t shard_capacity(size_t shard) { return shard < 4 ? 16 : shard < 66 ? 64 : 256; }

static bool is_numeric_host(const url *u)
{
  const char *host = url_bytes(u, u->host);
  return u->ipv6 || strspn(host, "0123456789.") >= u->host.length;
}

origin_group *origin_group_find(origin *o, const pool_target *to)
{
  for (origin_group *g = o->groups; g; g = g->next)
    if (!strcmp(g->connections->identity, to->identity)) return g;
  connection_group *c = connection_group_find(o->pool, to->identity);
  origin_group *g = c ? calloc(1, sizeof *g) : NULL;
  if (!g) return NULL;
  bool is_tls = to->url->scheme.length == 5, is_numeric = !to->by_proxy && is_numeric_host(to->url);
  *g = (origin_group){.next = o->groups, .origin = o, .connections = c};
  g->gated = to->http2_only || (is_tls && !to->http1_only);
  g->known = is_numeric && !g->gated;
  g->shares = !is_numeric || is_tls;
  return o->groups = g;
}

void origin_group_free(origin_group *g)
{
  timer_stop(&g->grace);
  stream_gate_free(&g->streams);
  free(g->shard_load);
  free(g);
}

/* The first request to an unknown peer goes alone. */
bool origin_group_lets_start(const origin_group *g)
{
  return g->gated ? stream_gate_lets_start(&g->streams) : g->known || !g->in_flight;
}

static void on_grace_over(timer *t)
{
  origin_group *g = container_of(t, origin_group, grace);
  if (!g->gated)
    g->known = true;
  else if (g->streams.settling)
    g->streams.settling = false;
  else
    stream_gate_widen(&g->streams);
  origin_offer(g->origin);
  pool_admit(g->origin->pool);
}

void origin_group_await(origin_group *g)
{
  loop_clock *time = g->origin->pool->time;
  uint64_t period = g->streams.settling ? SETTLING : GRACE;
  if (!timer_active(&g->grace)) clock_start(time, &g->grace, clock_now(time) + period, on_grace_over);
}

multi *origin_group_choose(origin_group *g, uint16_t *shard)
{
  size_t i = g->first_free;
  if (g->gated) {
    i = g->http2_shard; /* one connection carries many */
  } else {
    while (i < g->shard_count && g->shard_load[i] >= shard_capacity(i)) i++;
    g->first_free = i;
  }
  if (i >= g->shard_count) {
    size_t *grown = realloc(g->shard_load, (i + 1) * sizeof *grown);
    if (!grown) return NULL;
    memset(grown + g->shard_count, 0, (i + 1 - g->shard_count) * sizeof *grown);
    g->shard_load = grown;
    g->shard_count = i + 1;
  }
  *shard = (uint16_t)i;
  return connection_group_multi(g->connections, g->origin->pool, i);
}
