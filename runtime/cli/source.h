/* The text of the script. */
#ifndef LURCHER_CLI_SOURCE_H
#define LURCHER_CLI_SOURCE_H

#include "options.h"

#include <stddef.h>

typedef struct {
  char *chunkname;      /* as Lua wants it: "@path" or "=what" */
  const char *argument; /* arg[0] */
  const char *text;
  char *owned; /* what to free of it */
  size_t length;
} source;

/* Reads the script. False: it cannot be read, and why has been printed. */
bool source_read(source *s, const cli_options *options);

void source_free(source *s);

#endif
