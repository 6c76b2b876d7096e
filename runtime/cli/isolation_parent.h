/* The process outside, while the script's child runs. */
#ifndef LURCHER_CLI_ISOLATION_PARENT_H
#define LURCHER_CLI_ISOLATION_PARENT_H

/* Returns in a child process, which dies with this one. This one passes signals on, stops and goes on with
 * the child, and ends as it does: with its status, or by its signal. Where that was the kernel's limit or
 * filter, it is told in a sentence, and the status is that of a limit or a failure. */
void isolation_fork(void);

#endif
