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

/* Lets find, match, gmatch, gsub and table.sort call the count hook of that state (lua_sethook) while they
 * work, as instructions of Lua do: a hook that raises ends a pattern that tries too much. They are slower for
 * it. After lur_open, before scripts run. LUR_NO_MEMORY, LUR_INVALID (NULL). Runtimes with limits have this
 * already, for a hook of their own. */
LUR_API lur_status lur_hook_libraries(lur_runtime *runtime);

#ifdef __cplusplus
}
#endif

#endif
