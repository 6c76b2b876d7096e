/* Idle connections of a pool: how many stay, and for how long. */
#ifndef LURCHER_NET_POOL_IDLE_H
#define LURCHER_NET_POOL_IDLE_H

#include "net/pool/pool.h"

/* Closes idle connections where that can be done at once. */
void pool_close_idle(pool *p);

/* Closes connections later that are then idle beyond limits.idle or for longer than limits.idle_timeout. */
void pool_trim_later(pool *p);

/* Open connections, idle or not. */
size_t pool_connections(const pool *p);

#endif
