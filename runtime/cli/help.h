/* What `lurcher --help` prints. */
#ifndef LURCHER_CLI_HELP_H
#define LURCHER_CLI_HELP_H

extern const char help_text[];

#endif
