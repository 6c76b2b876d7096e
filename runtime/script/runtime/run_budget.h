/* The budgets of lur_options: what happens when one is used up. The network counts requests and bytes; the
 * time, the end of the scripts and the report are here. */
#ifndef LURCHER_SCRIPT_BUDGET_H
#define LURCHER_SCRIPT_BUDGET_H

#include "net/pool/network.h"
#include "script/task/task_internal.h"

/* The network was made: it gets its limits. */
void budget_watch_network(lur_runtime *rt, network *n);

/* A script was started: the first one starts the clock. */
void budget_script_started(lur_runtime *rt);

/* Which budget is used up, what was done and what was left, then `failure` (what a script failed with; may be
 * NULL). Owned by the runtime, until the next call. */
const char *budget_report(lur_runtime *rt, const char *failure);

#endif
