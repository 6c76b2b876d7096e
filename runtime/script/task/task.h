/* Tasks: coroutines that may wait. C modules wait through an operation; Lua modules through park and wake
 * (script/task/task_bind.c, lua/lurcher/task.lua).
 *
 * A blocking function is two C functions seen as one from Lua. The first half starts the work and ends with
 * `return task_wait(...)`; the second half, `results`, runs in the same coroutine after the operation
 * completed and pushes what the caller gets. Between the two the task is parked. If it is cancelled
 * meanwhile, the operation is abandoned and the blocking function raises the cancellation.
 *
 *   static int sleep_results(lua_State *L, operation *op) { operation_reset(op); return 0; }
 *   static int sleep_start(lua_State *L) { ...; return task_wait(L, op, sleep_results); }
 *   ...
 *   task_set_blocking(L, -1, "sleep", sleep_start);
 */
#ifndef LURCHER_SCRIPT_TASK_H
#define LURCHER_SCRIPT_TASK_H

#include "core/loop/loop.h"

#include <lua.h>

/* Pushes the results of a completed operation and returns their number; must take the operation out of use
 * (reset or free it). May raise a Lua error, but only once nothing would leak. */
typedef int (*task_results)(lua_State *L, operation *op);

/* Parks the running task until `op` (begun, perhaps complete already) has ended; use as `return
 * task_wait(...)` from a function set by task_set_blocking, and from nowhere else. Raises, after abandoning
 * `op`, when the task is cancelled already or cannot yield here (inside table.sort, a gsub callback, …). */
int task_wait(lua_State *L, operation *op, task_results results);

/* table[name] = a Lua function that runs `start` and, after the wait, its results. `start` may also return
 * plain results without waiting. `table` is a stack index. */
void task_set_blocking(lua_State *L, int table, const char *name, lua_CFunction start);

/* Replaces the C function on top of the stack, a `start`, by such a Lua function. Can raise (memory). */
void task_make_blocking(lua_State *L);

/* Prepares task_set_blocking. Can raise. */
void task_open_blocking(lua_State *L);

/* The loop of the runtime this state belongs to. */
loop *task_loop(lua_State *L);

/* The clock of the running task: what it starts is timed by it. The real one when no task runs. */
loop_clock *task_clock(lua_State *L);

/* How many things are open now, by name, for leak checks: `task_count(L, "server", 1)`. Names are static
 * strings. When they have become many, those that the script has dropped are collected: what they hold
 * outside of the heap makes no garbage collector hurry. */
void task_count(lua_State *L, const char *name, int change);

/* From now on the table on top of the stack (popped) gets a text for each thing that is opened, "file
 * a.lua:12"; nil: none does. */
void task_note_openings(lua_State *L);

#endif
