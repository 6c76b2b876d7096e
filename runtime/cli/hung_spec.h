/* Specs that hold the loop for ever: no task can end them, and compiled code calls no hook. */
#ifndef LURCHER_CLI_HUNG_SPEC_H
#define LURCHER_CLI_HUNG_SPEC_H

#include "lurcher.h"

/* Gives lurcher.command.test the function watch(seconds, text), watch(), in the registry under
 * "lurcher.watch_hung": it ends the process, with status 1, when a task holds the loop beyond these seconds.
 * `text` says for standard error whose fault that is. One watch at a time. */
void hung_spec_prepare(lur_runtime *runtime);

#endif
