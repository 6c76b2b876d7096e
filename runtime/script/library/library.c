#include "script/library/library.h"

#include "lurcher_lua.h"
#include "script/library/library_string.h"
#include "script/library/library_table.h"
#include "script/task/task_internal.h"

#include <lauxlib.h>

void library_open(lua_State *L, bool hooked)
{
  library_open_string(L, hooked);
  if (hooked) library_open_table(L);
}

static int open_hooked(lua_State *L)
{
  lua_getglobal(L, "string");
  library_replace_matching(L);
  lua_pushliteral(L, "");
  luaL_getmetafield(L, -1, "__index"); /* methods of texts, which are a table of their own */
  library_replace_matching(L);
  library_open_table(L);
  return 0;
}

lur_status lur_hook_libraries(lur_runtime *rt)
{
  if (!rt) return LUR_INVALID;
  if (rt->limits.hooked || lua_cpcall(rt->L, open_hooked, NULL) == 0) return LUR_OK;
  lua_pop(rt->L, 1);
  return LUR_NO_MEMORY;
}
