/* --record=FILE and --replay=FILE: a cassette under all requests of a script. */
#ifndef LURCHER_CLI_TAPE_H
#define LURCHER_CLI_TAPE_H

#include "options.h"

/* Opens the cassette that is asked for. False: it cannot be, and the reason was told. */
bool tape_begin(lur_runtime *runtime, const cli_options *options);

/* The script has ended, with that status: writes what was recorded. False: it could not be, and the reason
 * was told. */
bool tape_end(lur_runtime *runtime, const cli_options *options, int exit_status);

#endif
