/* The command line. */
#ifndef LURCHER_CLI_OPTIONS_H
#define LURCHER_CLI_OPTIONS_H

#include "lurcher.h"

#include <stdbool.h>

typedef enum {
  SOURCE_FILE,
  SOURCE_STRING,
  SOURCE_INPUT,
  SOURCE_TESTS,
  SOURCE_COMPLETION,
  SOURCE_VERSION,
  SOURCE_HELP,
  SOURCE_PROMPT,
  SOURCE_REQUEST, /* lurcher get and the like: the module lurcher.command.request */
  SOURCE_WORD     /* a command whose module has its name */
} source_kind;

typedef struct {
  source_kind kind;
  const char *script; /* a path, the code itself, or the command's name */
  lur_log_level log_level;
  bool trace, stats, explain;
  bool sandbox, sandbox_tells; /* the second: --sandbox=log */
  bool isolate;
  int trace_detail;                           /* as in lur_options */
  const char *report;                         /* the path of the page; NULL: none */
  const char *record, *replay;                /* paths of cassettes; NULL: none */
  double grace;                               /* seconds */
  unsigned long long max_requests, max_bytes; /* 0: no limit */
  double max_time;                            /* seconds; 0: no limit */
  size_t memory;                              /* bytes that may be held at once; 0: no limit */
  double cpu, burst; /* seconds of the processor, in all and without a wait; 0: no limit */
  int argc;          /* the script's arguments */
  char **argv;
} cli_options;

/* Exit statuses of the command. */
enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_BUDGET = 3 };

/* Fills in `options`; its texts are those of `argv`. False: the command ends here with *status, having
 * printed help, its version, or what is wrong with the command line. */
bool options_parse(cli_options *options, int argc, char **argv, int *status);

#endif
