/* lurcher.native.task: what its parts have in common. */
#ifndef LURCHER_SCRIPT_TASK_BIND_H
#define LURCHER_SCRIPT_TASK_BIND_H

#include "script/task/task_internal.h"

/* The task whose handle is argument `index`; raises when it is something else. */
lur_task *task_check(lua_State *L, int index);

/* As task_about_to_park, but raises in a cancelled task. */
lur_task *task_about_to_wait(lua_State *L, const char *name);

/* Results of a wait that has none. */
int task_no_results(lua_State *L, operation *op);

#endif
