/* Requests that a script answers itself, see net/transfer/transfer_played.h: for lurcher.mock. */
#ifndef LURCHER_SCRIPT_HTTP_PLAYED_H
#define LURCHER_SCRIPT_HTTP_PLAYED_H

#include "net/transfer/transfer.h"

#include <lua.h>

/* Pushes the other side of a transfer that has begun and waits for its player. It owns the transfer until
 * http_played_release. Can raise (memory), and then does not own it. */
void http_push_played(lua_State *L, transfer *t);

/* The transfer of that at `index`, which is the caller's from now on; what was pushed plays on. Raises when
 * it was released before. */
transfer *http_played_release(lua_State *L, int index);

#endif
