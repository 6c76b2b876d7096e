/* The line on the terminal that shows how far a script is. It is taken away while something else is written
 * there, and put back below it. */
#ifndef LURCHER_CLI_PROGRESS_H
#define LURCHER_CLI_PROGRESS_H

#include "lurcher.h"

/* Has the runtime show progress if standard error is a terminal that can redraw a line. */
void progress_connect(lur_options *runtime_options);

/* Takes the line away before something is written to the terminal, and puts it back afterwards. */
void progress_hide(void);
void progress_show(void);

/* Takes the line away for good. */
void progress_end(void);

#endif
