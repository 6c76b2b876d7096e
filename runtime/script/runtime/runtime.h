/* One runtime: lurcher.h, but for what has a file of its own. */
#ifndef LURCHER_SCRIPT_RUNTIME_H
#define LURCHER_SCRIPT_RUNTIME_H

#include "script/task/task_internal.h"

/* Cancels every script, and limits the time that their clean-up may take. `why` may be NULL. */
void runtime_interrupt(lur_runtime *rt, const char *why);

#endif
