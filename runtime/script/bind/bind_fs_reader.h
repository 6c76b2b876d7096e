/* lurcher.native.fs: readers. */
#ifndef LURCHER_SCRIPT_BIND_FS_READER_H
#define LURCHER_SCRIPT_BIND_FS_READER_H

#include <lua.h>
#include <stdint.h>

/* Makes their class. */
void fs_reader_open(lua_State *L);

/* Pushes one that owns the descriptor, which is -1 then. Can raise (memory): then it still is the caller's.
 */
void fs_reader_push(lua_State *L, int *fd, const char *path);

/* A number of bytes; 0 where there is none. Raises for what is none. */
uint64_t fs_check_offset(lua_State *L, int index);

#endif
