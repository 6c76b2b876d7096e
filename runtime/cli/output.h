/* Where the script's output goes: print to standard output, log lines and traces to standard error. */
#ifndef LURCHER_CLI_OUTPUT_H
#define LURCHER_CLI_OUTPUT_H

#include "options.h"

/* Connects the output of the runtime that will be in *runtime to this process's. */
void output_connect(lur_options *runtime_options, const cli_options *options, lur_runtime **runtime);

/* Prints a text as scripts print, and a newline; begins a new line unless one has just begun. */
void output_line(const char *text);
void output_end_line(void);

/* Signal handler: the terminal shows a key that was pressed, in the line of what was printed last. */
void output_echoed(void);

/* Whether the runtime's trace is shown. */
void output_show_trace(bool on);

/* Tells the user. */
void output_report(const char *text);

/* Writes out what is buffered. Gives the status to end with: `status`, or STATUS_FAILED after saying why
 * standard output could not be written. */
int output_finish(int status);

#endif
