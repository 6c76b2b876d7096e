/* Values that go between the host and scripts. */
#ifndef LURCHER_SCRIPT_HOST_VALUES_H
#define LURCHER_SCRIPT_HOST_VALUES_H

#include "lurcher.h"

#include <lua.h>
#include <stdbool.h>

/* Prepares calls of the host's functions. Can raise (memory). */
void host_values_open(lua_State *L);

/* Pushes what a call returns; number of values. Can raise (memory). */
int host_values_push(lua_State *L, const lur_call *call);

/* Frees what the call's results and arguments hold. */
void host_values_free(lur_call *call);

/* Pushes the value of a JSON text and returns 1; or pushes nil and an error, and returns 2. Can raise
 * (memory). */
int host_json_decode(lua_State *L, const char *text, size_t length);

/* Replaces the value on top of the stack by its JSON; false (nothing is left on the stack): it has none. */
bool host_json_encode(lua_State *L);

#endif
