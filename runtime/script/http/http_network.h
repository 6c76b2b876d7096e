/* The network of a Lua state: made when lurcher.native.http is first opened, freed with the state. */
#ifndef LURCHER_SCRIPT_HTTP_NETWORK_H
#define LURCHER_SCRIPT_HTTP_NETWORK_H

#include "net/transfer/transfer.h"

#include <lua.h>

/* Who wants to know when a state's network is made: to set its limits. */
typedef struct {
  void (*made)(network *n, void *user);
  void *user;
} http_network_watch;

/* Sets the watch, which must live as long as the state. Before lurcher.native.http is opened. Can raise
 * (memory). */
void http_network_set_watch(lua_State *L, const http_network_watch *watch);

/* Makes the network if there is none yet: the module may be loaded again, as busted does for each file. Can
 * raise. */
void http_network_open(lua_State *L);

/* The network; NULL before it was made. */
network *http_network(lua_State *L);

/* A push that raises (memory) would leak the transfer it is about. So the state keeps the transfer
 * meanwhile: it is freed when its results were pushed (`t` NULL), or else at the next call or with
 * the state. `n` is the state's network. */
void http_network_keep(network *n, transfer *t);

/* Lets go of what is kept without freeing it: something else owns it now. */
void http_network_release(network *n);

#endif
