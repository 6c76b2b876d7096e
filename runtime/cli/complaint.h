/* What is wrong with a command line, for the user: one line on standard error. */
#ifndef LURCHER_CLI_COMPLAINT_H
#define LURCHER_CLI_COMPLAINT_H

/* Prints "lurcher: " and the text, as printf has it, and a newline. Arguments of the user may stand in it as
 * they are: what would steer the terminal is shown as \xNN. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
