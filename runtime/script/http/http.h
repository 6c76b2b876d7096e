/* Inside of the lurcher.native.http binding: http.c, http_pool.c, http_profile.c, http_stream.c. */
#ifndef LURCHER_SCRIPT_HTTP_H
#define LURCHER_SCRIPT_HTTP_H

#include "net/transfer/transfer_summary.h"

#include <lauxlib.h>

/* Cheaper to check than a metatable in the registry; a request checks three of them. */
typedef enum {
  HTTP_POOL = 0x706f6f6c,
  HTTP_PROFILE = 0x70726f66,
  HTTP_HEADERS = 0x68656164,
  HTTP_STREAM = 0x73747265
} http_tag;

typedef struct {
  http_tag tag;
  void *pointer; /* NULL once closed */
} http_box;

/* The pointer in the userdata at `index`; raises unless it is of that kind and open. */
void *http_handle(lua_State *L, int index, http_tag tag);

/* The runtime's network; NULL before lurcher.native.http was first opened. */
network *http_network(lua_State *L);

/* Pushes a box, still empty, with a metatable made before. */
http_box *http_new_box(lua_State *L, http_tag tag, const char *metatable);

/* A metatable with a finalizer and methods (may be NULL). */
void http_make_metatable(lua_State *L, const char *name, lua_CFunction gc, const luaL_Reg *methods);

/* native.pool{…} */
int http_new_pool(lua_State *L);
void http_register_pool(lua_State *L);

/* native.profile{…} */
int http_new_profile(lua_State *L);
int http_profile_gc(lua_State *L);

/* Pushes a stream that owns the transfer. */
void http_push_stream(lua_State *L, transfer *t);
void http_register_stream(lua_State *L);

/* Pushes a table of what is known of a transfer: http_version, reason, timings, reused, remote_address,
 * bytes_received, bytes_sent, dispatched, ended, elapsed. */
void http_push_info(lua_State *L, const transfer_summary *o);

#endif
