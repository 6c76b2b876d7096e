/* All sockets that the servers of one runtime have open, so that the runtime can close them at its end, and
 * the memory they share. */
#ifndef LURCHER_NET_SOCKET_GROUP_H
#define LURCHER_NET_SOCKET_GROUP_H

#include "core/loop/loop.h"

enum { SOCKET_SCRATCH_SIZE = 65536 };

typedef struct socket_member socket_member;

/* Embedded in whatever owns a socket. */
struct socket_member {
  list_link link;
  void (*close_now)(socket_member *m); /* must end with the member removed from the group */
};

typedef struct {
  loop *loop;
  linked_list members;
  unsigned references;
  bool closed;
  char scratch[SOCKET_SCRATCH_SIZE]; /* what was just received, valid within one callback */
} socket_group;

/* A group with one reference, or NULL when memory ran out. */
socket_group *socket_group_new(loop *l);
void socket_group_unref(socket_group *g);

/* Adds a member, which takes a reference to the group until socket_group_unref; socket_group_remove only
 * takes it off the list (its uv handle may still be closing). */
void socket_group_add(socket_group *g, socket_member *m, void (*close_now)(socket_member *m));
void socket_group_remove(socket_member *m);

/* Closes every socket at once, without farewell. Nothing can be opened in the group afterwards, and its loop
 * is not used any more but for the close callbacks of the uv handles. */
void socket_group_close(socket_group *g);

#endif
