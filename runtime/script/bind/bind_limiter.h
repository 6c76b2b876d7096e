/* lurcher.native.limiter: rates that tasks and clients share. */
#ifndef LURCHER_SCRIPT_LIMITER_H
#define LURCHER_SCRIPT_LIMITER_H

#include "net/flow/limiter.h"

#include <lua.h>

/* The limiter in the userdata at a stack index; raises when it is none. */
limiter *limiter_check(lua_State *L, int index);

#endif
