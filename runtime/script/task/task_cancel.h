/* How tasks are cancelled, and how their clean-up is limited. */
#ifndef LURCHER_SCRIPT_TASK_CANCEL_H
#define LURCHER_SCRIPT_TASK_CANCEL_H

#include "script/task/task_internal.h"

/* The error object that every wait of a cancelled task raises. Can raise (memory). */
void task_push_cancellation(lua_State *L, lur_task *t);
int task_raise_canceled(lua_State *L, lur_task *t);

/* That clean-up had to be ended: a static string. */
const char *task_cleanup_report(const lur_runtime *rt);

/* Raises the cancellation of `t` if it must stop. */
static inline void task_checkpoint(lua_State *L, lur_task *t)
{
  if (task_must_stop(t)) task_raise_canceled(L, t);
}

/* Cancels one task, and with it the scope it waits for. `why` (may be NULL) is copied. */
void task_cancel(lur_task *t, const char *why);

/* Every wait of it raises from now on, shielded or not. */
void task_force(lur_task *t);

/* What the running task has begun to wait for cannot be waited for: a coroutine around it cannot be
 * suspended. It is given up, and the waiting function raises. */
void task_refuse(lur_task *t);

/* Starts or ends (nested) the running of deferred functions: shielded, but for 5 seconds at most. False: no
 * memory. */
bool task_begin_cleanup(lur_task *t);
void task_end_cleanup(lur_task *t);

/* Ends it at whatever depth. */
void task_drop_cleanup(lur_task *t);

#endif
