/* What keeps live tasks from being collected: a table of their handles and coroutines. */
#ifndef LURCHER_SCRIPT_TASK_ANCHOR_H
#define LURCHER_SCRIPT_TASK_ANCHOR_H

#include "script/task/task_internal.h"

/* Makes the table. Can raise. */
void task_open_anchors(lua_State *L);

/* Keeps a new task: its handle and its coroutine are at these (positive) stack indices. Can raise (memory);
 * then it is not kept. */
void task_anchor(lua_State *L, lur_task *t, int handle, int thread);

/* Keeps another coroutine, at this stack index, in place of the task's last. Can raise (memory). */
void task_anchor_thread(lua_State *L, lur_task *t, int thread);

/* The task has ended. */
void task_unanchor(lur_task *t);

/* Pushes the handle of a live task. */
void task_push(lua_State *L, lur_task *t);

/* Pushes a task's table of locals; `t`'s userdata is at `index`. Makes it at first. */
void task_push_locals(lua_State *L, int index, lur_task *t);

#endif
