/* What was meant by an option or a word that is not known. */
#ifndef LURCHER_CLI_SUGGESTION_H
#define LURCHER_CLI_SUGGESTION_H

#include "options_table.h"

/* The known option most like `name`, or NULL. `command` may be NULL. */
const cli_option *suggestion_option(const char *name, size_t length, const char *command);

/* The command most like a word that names no file, as it is to be typed, or NULL; "get" for a URL. */
const char *suggestion_command(const char *word);

#endif
