/* The rows of options.def, for those who parse, explain and complete them. */
#ifndef LURCHER_CLI_OPTIONS_TABLE_H
#define LURCHER_CLI_OPTIONS_TABLE_H

#include "options.h"

typedef struct {
  const char *name;
  const char *short_name; /* or NULL */
  const char *value;      /* what stands after its "="; NULL: it takes none */
  const char *choices;    /* what the value may be, with spaces between; NULL: anything */
  const char *help;
} cli_option;

/* A word in the script's place that does something else. */
typedef struct {
  const char *name;
  const char *arguments;
  source_kind kind;
  const char *choices; /* what its first argument may be; NULL: a path */
  const char *help;
} cli_command;

extern const cli_option options_table[];
extern const cli_command commands_table[];
extern const size_t options_count, commands_count;

#endif
