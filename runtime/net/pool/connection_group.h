#ifndef LURCHER_NET_CONNECTION_GROUP_H
#define LURCHER_NET_CONNECTION_GROUP_H

#include "net/curl/multi.h"
#include "net/pool/pool.h"

/* Multis whose connections may serve the same requests: same TLS options, same resolve and unix_socket. The
 * first multi serves all origins, the others further connections of busy origins. */
struct connection_group {
  connection_group *next;
  char *identity;
  CURLSH *share; /* names and TLS sessions, for all of its multis */
  multi **multis;
  size_t multi_count;
};

/* The group for an identity, made when missing. NULL: out of memory. */
connection_group *connection_group_find(pool *p, const char *identity);
void connection_group_free(connection_group *c);

/* The multi of that number, which is at most `multi_count`: then it is made. NULL: out of memory. */
multi *connection_group_multi(connection_group *c, pool *p, size_t number);

#endif
