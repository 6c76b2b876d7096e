/* What --stats, --explain and --report=FILE say at the end. */
#ifndef LURCHER_CLI_SUMMARIES_H
#define LURCHER_CLI_SUMMARIES_H

#include "options.h"

/* Has the runtime to be opened keep what the summaries need. False: the report's file cannot be written, and
 * why has been printed. */
bool summaries_prepare(lur_options *runtime_options, const cli_options *options);

/* From now on summaries are of this runtime. */
void summaries_watch(lur_runtime *runtime);

/* Writes what was asked for, once. False: something could not be written, and why has been printed. */
bool summaries_write(void);

#endif
