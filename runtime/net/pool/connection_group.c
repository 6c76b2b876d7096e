#include "net/pool/connection_group.h"

#include <stdlib.h>
#include <string.h>

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

multi *connection_group_multi(connection_group *c, pool *p, size_t number)
{
  if (number < c->multi_count) return c->multis[number];
  multi **grown = realloc(c->multis, (number + 1) * sizeof *grown);
  if (!grown) return NULL;
  c->multis = grown;
  multi *m = malloc(sizeof *m);
  if (!m) return NULL;
  multi_init(m, &p->network->multis, p->time, max_connections(&p->limits));
  return c->multis[c->multi_count++] = m;
}
