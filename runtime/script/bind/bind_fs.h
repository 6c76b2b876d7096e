/* lurcher.native.fs: files for Lua. */
#ifndef LURCHER_SCRIPT_BIND_FS_H
#define LURCHER_SCRIPT_BIND_FS_H

#include "core/file/file_writer.h"

#include <lua.h>

/* The writer in the userdata at a stack index; raises when it is none. */
file_writer *fs_writer_check(lua_State *L, int index);

#endif
