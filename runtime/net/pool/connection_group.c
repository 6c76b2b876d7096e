#include "net/pool/origin.h"

#include <stdlib.h>
#include <string.h>

/* Requests of one origin on one multi: libcurl searches a multi's connections for each, and a multi
 * takes 35 KB. With few in flight, short searches; beyond 4,000, memory counts. */
static size_t shard_capacity(size_t shard) { return shard < 4 ? 16 : shard < 66 ? 64 : 256; }

connection_group *connection_group_find(pool *p, const char *identity)
{
  for (connection_group *c = p->connection_groups; c; c = c->next)
    if (!strcmp(c->identity, identity)) return c;
  connection_group *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->identity = strdup(identity);
  c->share = curl_share_init();
  if (!c->identity || !c->share) {
    connection_group_free(c);
    return NULL;
  }
  curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  c->next = p->connection_groups;
  p->connection_groups = c;
  return c;
}

void connection_group_free(connection_group *c)
{
  for (size_t i = 0; i < c->multi_count; i++) {
    multi_close_idle(c->multis[i]);
    free(c->multis[i]);
  }
  free(c->multis);
  if (c->share) curl_share_cleanup(c->share);
  free(c->identity);
  free(c);
}

static size_t max_connections(const pool_limits *limits)
{
  size_t most = 100000;
  return limits->inflight < most && limits->idle < most ? limits->inflight + limits->idle + 1 : most;
}

static multi *multi_at(origin_group *g, size_t shard)
{
  connection_group *c = g->connections;
  pool *p = g->origin->pool;
  if (shard < c->multi_count) return c->multis[shard];
  multi **grown = realloc(c->multis, (shard + 1) * sizeof *grown);
  if (!grown) return NULL;
  c->multis = grown;
  multi *m = malloc(sizeof *m);
  if (!m) return NULL;
  multi_init(m, &p->network->multis, p->time, max_connections(&p->limits));
  return c->multis[c->multi_count++] = m;
}

multi *connection_group_choose(origin_group *g, size_t *shard)
{
  size_t i = g->first_free;
  if (g->http2) {
    i = 0; /* one connection carries them all */
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
  *shard = i;
  return multi_at(g, i);
}
