/* lur_run_script: values in and out of a script. */
#ifndef LURCHER_SCRIPT_RUN_SCRIPT_H
#define LURCHER_SCRIPT_RUN_SCRIPT_H

#include "script/task/task_internal.h"

/* Makes what scripts with values are wrapped in. Can raise (memory). */
void run_script_open(lua_State *L);

/* Starts the clock of lur_script.max_seconds. */
void run_script_started(scope *s);

/* Tells the host how the script ended. */
void run_script_tell(scope *s, lur_status status, const char *report);

#endif
