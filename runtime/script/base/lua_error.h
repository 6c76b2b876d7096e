/* Errors at the edge to Lua: the tables of kind, message, phase … that scripts see. */
#ifndef LURCHER_SCRIPT_ERRORS_H
#define LURCHER_SCRIPT_ERRORS_H

#include "core/error.h"

#include <lua.h>

/* Pushes the Lua error object for `e` (its metatable comes from lua/lurcher/base/errors.lua). Can raise
 * (memory).
 */
void errors_push(lua_State *L, const error *e);

/* Whether the value is an error object, or looks like one. */
bool errors_is(lua_State *L, int index);

/* Pushes nil and the error object; returns 2, as in `return errors_return(L, &e)`. */
int errors_return(lua_State *L, const error *e);

/* Raises a mistake of the script, with the position of the first function on the stack that is not part of
 * the runtime, as errors.raise of Lua does. Does not return. */
int errors_raise(lua_State *L, const char *message);

#endif
