/* Bodies of requests that are no plain strings, and how far they are sent. */
#ifndef LURCHER_SCRIPT_HTTP_UPLOAD_H
#define LURCHER_SCRIPT_HTTP_UPLOAD_H

#include <lua.h>

/* Raises unless there is nothing, a string, or an upload at `index`. */
void http_check_upload(lua_State *L, int index);

/* Functions of lurcher.native.http, described where they are defined. */
int http_look_at_file(lua_State *L);
int http_new_upload(lua_State *L);
int http_new_progress(lua_State *L);

#endif
