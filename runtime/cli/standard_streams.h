/* The standard streams as this process was given them. */
#ifndef LURCHER_CLI_STANDARD_STREAMS_H
#define LURCHER_CLI_STANDARD_STREAMS_H

/* To be called once, before anything is opened or printed: takes the places of streams that the parent
 * closed, and has stdin, stdout and stderr wait where the parent made them non-blocking. */
void standard_streams_prepare(void);

#endif
