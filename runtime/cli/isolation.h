/* --isolate: what the kernel holds, should a script get out of the sandbox. */
#ifndef LURCHER_CLI_ISOLATION_H
#define LURCHER_CLI_ISOLATION_H

#include "options.h"

/* From now on, for good, this process and all it starts have no new privileges, reach no file but the
 * system's and those that were allowed, and may not do what only attacks need. Standard error is told what
 * the kernel does not offer. To be called before any thread is started. */
void isolation_begin(const cli_options *options);

#endif
