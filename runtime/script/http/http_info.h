/* What is known of a transfer beside its status, head and body. */
#ifndef LURCHER_SCRIPT_HTTP_INFO_H
#define LURCHER_SCRIPT_HTTP_INFO_H

#include "net/transfer/transfer_summary.h"

#include <lua.h>

/* Pushes a table of http_version, reason, timings, reused, remote_address, bytes_received, bytes_sent,
 * dispatched, ended, elapsed. Can raise (memory). */
void http_push_info(lua_State *L, const transfer_summary *o);

#endif
