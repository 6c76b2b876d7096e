/* What --help prints. */
#ifndef LURCHER_CLI_HELP_H
#define LURCHER_CLI_HELP_H

/* To standard output. */
void help_print(void);

#endif
