#include "script/library/library.h"

#include "script/library/library_string.h"
#include "script/library/library_table.h"

void library_open(lua_State *L, bool hooked)
{
  library_open_string(L, hooked);
  if (hooked) library_open_table(L);
}
