/* How a task is suspended: for the waits that the runtime itself makes. */
#ifndef LURCHER_SCRIPT_TASK_PARK_H
#define LURCHER_SCRIPT_TASK_PARK_H

#include "script/task/task_internal.h"

/* Pushes the value that every wait yields. */
void task_push_wait_tag(lua_State *L);

/* The running task, which is about to wait for `name`; raises when it cannot be suspended here. */
lur_task *task_about_to_park(lua_State *L, const char *name);

/* Parks the running task for its own `op`, whose class is given, even if it is cancelled. As task_wait, only
 * for `return`. */
int task_park(lua_State *L, lur_task *t, const operation_class *class, task_results results, bool holds);

/* The same, but it goes on after those that are ready now. */
int task_give_way(lua_State *L, lur_task *t, const operation_class *class, task_results results);

/* Suspends the running task until `op`, which has begun, has ended. */
int task_suspend(lua_State *L, lur_task *t, operation *op, task_results results);

/* Raises: LuaJIT cannot suspend what runs, so nothing can wait for `what` here. */
int task_raise_refused(lua_State *L, const char *what);

/* Ends a task's wait for its own `op`. */
static inline void task_wake(lur_task *t) { operation_complete(&t->op); }

#endif
