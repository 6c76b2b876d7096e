#include "net/pool/stream_gate.h"

#include <stdlib.h>

void stream_gate_free(stream_gate *g)
{
  free(g->connections);
  *g = (stream_gate){0};
}

static stream_connection *find(const stream_gate *g, uint16_t port)
{
  for (size_t i = 0; i < g->count; i++)
    if (g->connections[i].port == port) return &g->connections[i];
  return NULL;
}

/* Whether streams are left for so many. */
static bool has_room(const stream_gate *g, size_t wanted)
{
  size_t room = 0;
  for (size_t i = 0; i < g->count; i++) {
    const stream_connection *c = &g->connections[i];
    size_t left = c->limit - c->streams;
    if (left >= wanted - room) return true;
    room += left;
  }
  return room >= wanted;
}

/* Of those that are under way, so many may be without a stream. */
static size_t probes(const stream_gate *g) { return 1 + g->more_probes; }

bool stream_gate_lets_start(const stream_gate *g)
{
  size_t without = g->settling ? 0 : probes(g);
  return g->pending < without || has_room(g, g->pending + 1 - without);
}

void stream_gate_enter(stream_gate *g, stream_ticket *t)
{
  *t = (stream_ticket){.entered = true, .rides = g->may_ride};
  g->pending++;
}

static void detach(stream_gate *g, stream_ticket *t)
{
  find(g, t->port)->streams--;
  t->attached = false;
  g->may_ride = true;
}

static void end_connecting(stream_gate *g, stream_ticket *t)
{
  if (t->connecting) g->connecting--;
  t->connecting = false;
}

static void settle(stream_gate *g, const stream_ticket *t)
{
  if (t->attached && t->port == g->newest) g->settling = false;
}

void stream_gate_leave(stream_gate *g, stream_ticket *t)
{
  if (!t->entered) return;
  settle(g, t);
  if (t->attached)
    detach(g, t);
  else
    g->pending--;
  end_connecting(g, t);
  t->entered = false;
}

/* All connections are full, or take no more for another reason; those that idle are gone. */
static void learn_limits(stream_gate *g)
{
  size_t most = 0, left = 0;
  for (size_t i = 0; i < g->count; i++) {
    stream_connection *c = &g->connections[i];
    c->limit = c->streams;
    if (c->limit > most) most = c->limit;
    if (c->streams) g->connections[left++] = *c;
  }
  g->count = left;
  if (most) g->usual_limit = most;
  g->may_ride = false;
}

bool stream_gate_has_enough(const stream_gate *g)
{
  enum { MAX_REFUSALS = 4 };
  return g->refusals >= MAX_REFUSALS;
}

bool stream_gate_may_connect(stream_gate *g, stream_ticket *t, bool may)
{
  if (t->connecting) return true; /* to another address */
  bool was_refused = t->attached; /* a stream that it had */
  if (was_refused) {
    detach(g, t);
    g->pending++;
  }
  learn_limits(g);
  if (was_refused && !g->count) g->usual_limit = 0; /* that told nothing */
  if (!may || g->connecting >= probes(g) || (was_refused && stream_gate_has_enough(g))) return false;
  if (was_refused) g->refusals++;
  g->connecting++;
  return t->connecting = true;
}

static stream_connection *add(stream_gate *g, uint16_t port)
{
  if (g->count == g->capacity) {
    size_t capacity = g->capacity ? g->capacity * 2 : 4;
    stream_connection *grown = realloc(g->connections, capacity * sizeof *grown);
    if (!grown) return NULL;
    g->connections = grown;
    g->capacity = capacity;
  }
  g->connections[g->count] = (stream_connection){.port = port, .limit = g->usual_limit};
  if (!g->usual_limit) g->connections[g->count].limit = SIZE_MAX;
  return &g->connections[g->count++];
}

void stream_gate_attach(stream_gate *g, stream_ticket *t, uint16_t port)
{
  if (!t->entered || (t->attached && t->port == port)) return;
  if (t->attached) {
    detach(g, t);
    g->pending++;
  }
  if (t->connecting) {
    g->settling = g->usual_limit;
    g->newest = port;
  }
  end_connecting(g, t);
  stream_connection *c = find(g, port);
  if (!c) c = add(g, port);
  if (!c) return; /* out of memory: it goes on as one that has none */
  if (++c->streams > c->limit) c->limit = c->streams;
  if (g->usual_limit && c->limit != SIZE_MAX && c->limit > g->usual_limit) g->usual_limit = c->limit;
  t->attached = g->may_ride = true;
  t->port = port;
  g->pending--;
  g->more_probes = 0;
}

void stream_gate_answered(stream_gate *g, const stream_ticket *t)
{
  g->refusals = 0;
  settle(g, t);
}

void stream_gate_widen(stream_gate *g)
{
  enum { MANY = 65535 };
  g->settling = false;
  if (g->more_probes < MANY) g->more_probes = 2 * g->more_probes + 1;
}
