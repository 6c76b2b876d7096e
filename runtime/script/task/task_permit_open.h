/* The permissions of a runtime, for who makes it. */
#ifndef LURCHER_SCRIPT_TASK_PERMIT_OPEN_H
#define LURCHER_SCRIPT_TASK_PERMIT_OPEN_H

#include "script/task/task_internal.h"

/* Sets lur_runtime.permit from the options. */
void task_permit_open(lur_runtime *rt);

#endif
