/* A pager between the command and the terminal: the program of $PAGER, else less. */
#ifndef LURCHER_CLI_PAGER_H
#define LURCHER_CLI_PAGER_H

#include <stdbool.h>

/* How wide standard output is: that of the terminal, else COLUMNS, or 80. To be asked before pager_start. */
int pager_columns(void);

/* Whether it understands the escape codes for bold text. To be asked before pager_start. */
bool pager_knows_bold(void);

/* From now on what goes to stdout is shown by the pager. Does nothing where stdout is no terminal, where
 * PAGER is empty or "cat", and when it was called before. */
void pager_start(void);

/* Flushes and closes stdout, and waits until the user has left the pager. Nothing when there is none. */
void pager_wait(void);

#endif
