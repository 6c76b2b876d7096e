/* lurcher help [topic]: the manual. */
#ifndef LURCHER_CLI_MANUAL_H
#define LURCHER_CLI_MANUAL_H

#include "options.h"

/* Shows the page that the command's arguments name, or the list of topics: through a pager where standard
 * output is a terminal. Returns the exit status. */
int manual_show(const cli_options *options);

#endif
