#include "net/server/socket_group.h"

#include <stdlib.h>

socket_group *socket_group_new(loop *l)
{
  socket_group *g = malloc(sizeof *g);
  if (!g) return NULL;
  g->loop = l;
  list_init(&g->members);
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
  list_append(&g->members, &m->link);
  g->references++;
}

void socket_group_remove(socket_member *m) { list_remove(&m->link); }

void socket_group_close(socket_group *g)
{
  g->closed = true;
  socket_member *m;
  while ((m = list_first_of(&g->members, socket_member, link))) m->close_now(m);
}
