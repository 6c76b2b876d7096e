/* Access to the Lua state inside a runtime, for hosts that bind functions of their own. The rest of the
 * interface keeps its ABI; this header does not promise one: it is tied to the LuaJIT the library was built
 * with. */
#ifndef LURCHER_LUA_H
#define LURCHER_LUA_H

#include "lurcher.h"

#include <lua.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The runtime's main Lua state. Use it on the runtime's thread, outside of running scripts, and leave its
 * stack as it was. Never call a function on it that waits: only tasks can wait. NULL where the runtime is. */
LUR_API lua_State *lur_lua(lur_runtime *runtime);

#ifdef __cplusplus
}
#endif

#endif
