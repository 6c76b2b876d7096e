/* What failed in which task, and what tasks wait for, as text. */
#ifndef LURCHER_SCRIPT_TASK_REPORT_H
#define LURCHER_SCRIPT_TASK_REPORT_H

#include "script/task/task_internal.h"

/* The first line of user code on the stack of `L`, as "script.lua:12"; "" when there is none. */
void report_position(lua_State *L, char *text, size_t size);

/* Raises the message with the place of the code that called the C function which runs now. The frame of a
 * call that is the end of its function ("return f()") is gone: then it is that of the nearest caller left, of
 * the spawning of the task, or the script's only such call. */
int report_raise(lua_State *L, const char *message);

/* The text that a script's main function failed with names a line of the runtime's own code when it comes
 * from the function's last call ("return error 'x'"): puts the line of that in its place, if it is known. Can
 * raise. */
void report_mend_place(lua_State *L, const scope *script);

/* mend_limit(scope): the same for the report of a limit, which names no line where the script's last call
 * reached it. Can raise. */
int report_mend_limit(lua_State *L);

/* Notes where an error object came from, for the report, should it end the running task: the entry on top of
 * the stack (popped) is a text or a failed task's handle; the error is below it (kept). Can raise. */
void report_note_cause(lua_State *L, lur_task *t);

/* Pushes the text of a failed task's error and the Lua lines of every task involved; its userdata is at
 * `index`. Can raise. */
void report_push(lua_State *L, int index);

/* Appends a traceback of `L` from `level` on, without the runtime's own lines. */
void report_push_traceback(lua_State *L, lua_State *of, int level);

/* Calls a function of lurcher.base.uncaught with the `count` values on top of the stack (popped), and pushes
 * the text it gives. False: it gave none, or failed; then nothing is pushed. */
bool report_ask(lua_State *L, const char *function, int count);

/* `heading`, and a line for every waiting task whose id is above `after`: for what, and where. The caller
 * frees it; NULL: no memory. */
char *report_waiting(lur_runtime *rt, const char *heading, uint32_t after, bool daemons);

#endif
