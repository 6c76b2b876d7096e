/* Streamed responses: a body read piece by piece, by one task at a time. */
#ifndef LURCHER_SCRIPT_HTTP_STREAM_H
#define LURCHER_SCRIPT_HTTP_STREAM_H

#include "net/transfer/transfer.h"

#include <lua.h>

/* Pushes a stream that owns the transfer. Can raise (memory): then the transfer is still the caller's. */
void http_push_stream(lua_State *L, transfer *t);

#endif
