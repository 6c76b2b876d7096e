/* The budgets of lur_options: what happens when one is used up. The network counts requests and bytes
 * (net/pool/run_limits.h); the time, the end of the scripts and the report are here. */
#ifndef LURCHER_SCRIPT_RUN_REPORT_H
#define LURCHER_SCRIPT_RUN_REPORT_H

#include "script/task/task_internal.h"

/* Gives the network its limits once it is made. Can raise (memory). */
void run_report_watch_network(lur_runtime *rt);

/* A script was started: the first one starts the clock. */
void run_report_script_started(lur_runtime *rt);

/* Which budget is used up, what was done and what was left, then `failure` (what a script failed with; may be
 * NULL). Owned by the runtime, until the next call. */
const char *run_report_write(lur_runtime *rt, const char *failure);

#endif
