/* The part of lurcher.native.task that is about the runtime as a whole: reports, counts, what goes to the
 * host. */
#ifndef LURCHER_SCRIPT_TASK_BIND_HOST_H
#define LURCHER_SCRIPT_TASK_BIND_HOST_H

#include <lauxlib.h>

extern const luaL_Reg task_host_functions[];

#endif
