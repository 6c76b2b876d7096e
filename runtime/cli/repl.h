/* The prompt: lurcher repl, and lurcher alone on a terminal. */
#ifndef LURCHER_CLI_REPL_H
#define LURCHER_CLI_REPL_H

#include "options.h"
#include "source.h"

/* Whether there is a terminal to type at; if not, it is said so. */
bool repl_has_terminal(void);

/* Runs the script (its text may be NULL: there is none), then reads and runs lines until their end. Returns
 * the exit status. */
int repl_run(lur_runtime *runtime, const source *script, const cli_options *options);

#endif
