/* The part of lurcher.native.task that is about time and chance: both depend on whether the running task
 * lives in a virtual run. */
#ifndef LURCHER_SCRIPT_TASK_BIND_CLOCK_H
#define LURCHER_SCRIPT_TASK_BIND_CLOCK_H

#include <lauxlib.h>

extern const luaL_Reg task_clock_functions[];

#endif
