/* Header lists for requests, and the heads of responses, which are read where they lie. */
#ifndef LURCHER_SCRIPT_HTTP_HEADERS_H
#define LURCHER_SCRIPT_HTTP_HEADERS_H

#include <lauxlib.h>

/* Adds headers, head_get, head_next, head_list and head_join to the table on top of the stack. Can raise
 * (memory). */
void http_headers_register(lua_State *L);

#endif
