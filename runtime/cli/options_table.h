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
  const char *words; /* the commands it belongs to, with spaces between; NULL: it is for all */
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

/* The options that belong to commands. */
extern const cli_option word_options_table[];
extern const size_t word_options_count;

/* Whether an option belongs to a command. */
bool options_belongs(const cli_option *option, const char *command);

/* Whether any option does. */
bool options_has_own(const char *command);

#endif
