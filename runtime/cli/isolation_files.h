/* --isolate: files, connections and signals, by Landlock. */
#ifndef LURCHER_CLI_ISOLATION_FILES_H
#define LURCHER_CLI_ISOLATION_FILES_H

#include "options.h"

/* Holds this process to what the permissions name, as far as the kernel can, and tells standard error what it
 * cannot. */
void isolation_guard_files(const cli_options *options);

#endif
