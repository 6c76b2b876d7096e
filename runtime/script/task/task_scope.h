/* Groups of tasks that end together. */
#ifndef LURCHER_SCRIPT_TASK_SCOPE_H
#define LURCHER_SCRIPT_TASK_SCOPE_H

#include "script/task/task_internal.h"

/* What the owner of a scope waits for. */
extern const operation_class task_scope_wait;

scope *scope_new(lur_runtime *rt); /* one reference; NULL: no memory */
void scope_unref(scope *s);

/* Cancels its tasks, and those that will be added. */
void scope_cancel(scope *s, const char *why);

/* Cancels every script. */
void scope_cancel_scripts(lur_runtime *rt, const char *why);

void scope_add(scope *s, lur_task *t);

/* A child has ended; its handle is still anchored. */
void scope_child_ended(scope *s, lur_task *t);

#endif
