/* Pools: the limits of a client, and what is known of the origins that it talks to. */
#ifndef LURCHER_SCRIPT_HTTP_POOL_H
#define LURCHER_SCRIPT_HTTP_POOL_H

#include <lua.h>

/* native.pool{…}: pushes a pool's handle. */
int http_new_pool(lua_State *L);

#endif
