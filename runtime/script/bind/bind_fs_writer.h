/* lurcher.native.fs: writers. */
#ifndef LURCHER_SCRIPT_BIND_FS_WRITER_H
#define LURCHER_SCRIPT_BIND_FS_WRITER_H

#include "core/file/file_writer.h"

#include <lua.h>

/* Makes their class. */
void fs_writer_open(lua_State *L);

/* Pushes one that owns the target. It hashes what it writes, unless that is more than `max_hashed`; 0: it
 * does not. Can raise (memory). */
void fs_writer_push(lua_State *L, file_target *target, uint64_t max_hashed);

/* The writer in the userdata at a stack index; raises when it is none. */
file_writer *fs_writer_check(lua_State *L, int index);

#endif
