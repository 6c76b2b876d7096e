/* The memory of a Lua state: counted, limited, and there before the state is. */
#ifndef LURCHER_SCRIPT_STATE_MEMORY_H
#define LURCHER_SCRIPT_STATE_MEMORY_H

#include "script/runtime/runtime.h"

#include <lua.h>

/* A state whose blocks come from here; `first_blocks` of the runtime are freed after it. NULL: out of memory.
 */
lua_State *state_memory_new(lur_runtime *rt);

#endif
