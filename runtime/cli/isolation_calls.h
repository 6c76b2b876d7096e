/* --isolate: calls of the system, by a seccomp filter. */
#ifndef LURCHER_CLI_ISOLATION_CALLS_H
#define LURCHER_CLI_ISOLATION_CALLS_H

#include <stdbool.h>

/* From now on this process may not make the calls that only attacks need, nor, unless programs are allowed,
 * start or signal others. They fail with EPERM. False: the kernel does not take the filter. */
bool isolation_guard_calls(void);

#endif
