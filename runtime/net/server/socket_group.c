#include "net/server/socket_group.h"

#include <stdlib.h>

socket_group *socket_group_new(loop *l)
{
  socket_group *g = malloc(sizeof *g);
  if (!g) return NULL;
  g->loop = l;
  g->first = NULL;
  g->references = 1;
  g->closed = false;
  return g;
}

void socket_group_unref(socket_group *g)
{
  if (--g->references == 0) free(g);
}

void socket_group_add(socket_group *g, socket_member *m, void (*close_now)(socket_member *m))
{
  m->close_now = close_now;
  m->place = &g->first;
  m->next = g->first;
  if (m->next) m->next->place = &m->next;
  g->first = m;
  g->references++;
}

void socket_group_remove(socket_member *m)
{
  if (!m->place) return;
  *m->place = m->next;
  if (m->next) m->next->place = m->place;
  m->place = NULL;
  m->next = NULL;
}

void socket_group_close(socket_group *g)
{
  g->closed = true;
  while (g->first) g->first->close_now(g->first);
}
