/* Tasks start, run and end here. */
#ifndef LURCHER_SCRIPT_TASK_SCHEDULER_H
#define LURCHER_SCRIPT_TASK_SCHEDULER_H

#include "script/task/task_internal.h"

/* Opens what the scheduler keeps in the Lua state. Can raise. */
void task_open(lua_State *L);

typedef enum { TASK_ISOLATED = 1, TASK_BODY = 2, TASK_VIRTUAL = 4, TASK_SERVER = 8 } task_flags;

/* Pops a function and its arguments, pushes the handle of a new task that will run it as a child of `s`. Can
 * raise. */
lur_task *task_spawn(lua_State *L, scope *s, int arguments, unsigned flags);

/* Notes where a task was spawned; minus the last line of its script for a main task. */
void task_set_source(lur_task *t, const char *name, int line);

/* Queues a task that waits for nothing to be resumed; `class` names why. */
void task_queue(lur_task *t, const operation_class *class);

/* loop.on_ready: resumes the operation's owner. */
void task_on_ready(operation *op, void *user);

#endif
