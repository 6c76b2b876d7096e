#include "net/pool/origin.h"

#include <stdlib.h>
#include <string.h>

/* Requests of one origin on one engine: libcurl searches an engine's connections for each, and an engine
 * takes 35 KB. With few in flight, short searches; beyond 4,000, memory counts. */
static size_t shard_capacity(size_t shard) { return shard < 4 ? 16 : shard < 66 ? 64 : 256; }

lane *lane_find(pool *p, const char *identity)
{
  for (lane *l = p->lanes; l; l = l->next)
    if (!strcmp(l->identity, identity)) return l;
  lane *l = calloc(1, sizeof *l);
  if (!l) return NULL;
  l->identity = strdup(identity);
  l->share = curl_share_init();
  if (!l->identity || !l->share) {
    lane_free(l);
    return NULL;
  }
  curl_share_setopt(l->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl_share_setopt(l->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  l->next = p->lanes;
  p->lanes = l;
  return l;
}

void lane_free(lane *l)
{
  for (size_t i = 0; i < l->engine_count; i++) {
    engine_close_idle(l->engines[i]);
    free(l->engines[i]);
  }
  free(l->engines);
  if (l->share) curl_share_cleanup(l->share);
  free(l->identity);
  free(l);
}

static size_t most_connections(const pool_limits *limits)
{
  size_t most = 100000;
  return limits->inflight < most && limits->idle < most ? limits->inflight + limits->idle + 1 : most;
}

static engine *engine_at(route *r, size_t shard)
{
  lane *l = r->lane;
  pool *p = r->origin->pool;
  if (shard < l->engine_count) return l->engines[shard];
  engine **grown = realloc(l->engines, (shard + 1) * sizeof *grown);
  if (!grown) return NULL;
  l->engines = grown;
  engine *e = malloc(sizeof *e);
  if (!e) return NULL;
  engine_init(e, p->network, p->time, most_connections(&p->limits));
  return l->engines[l->engine_count++] = e;
}

engine *lane_choose(route *r, size_t *shard)
{
  size_t i = r->first_free;
  if (r->http2) {
    i = 0; /* one connection carries them all */
  } else {
    while (i < r->shard_count && r->shard_load[i] >= shard_capacity(i)) i++;
    r->first_free = i;
  }
  if (i >= r->shard_count) {
    size_t *grown = realloc(r->shard_load, (i + 1) * sizeof *grown);
    if (!grown) return NULL;
    memset(grown + r->shard_count, 0, (i + 1 - r->shard_count) * sizeof *grown);
    r->shard_load = grown;
    r->shard_count = i + 1;
  }
  *shard = i;
  return engine_at(r, i);
}
