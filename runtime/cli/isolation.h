/* --isolate: the script runs in a child process that the kernel holds, should a script get out of the
 * sandbox. */
#ifndef LURCHER_CLI_ISOLATION_H
#define LURCHER_CLI_ISOLATION_H

#include "options.h"

/* Returns in a child process only. For good, it and all it starts have no new privileges, reach no file but
 * the system's and those that were allowed, and may not do what only attacks need. Standard error is told
 * what the kernel does not offer. This process stays outside, passes signals on, and ends as the child does.
 * To be called before any thread is started and before the script is parsed. */
void isolation_begin(const cli_options *options);

#endif
