/* lurcher completion SHELL: what completes the command line in that shell, from options.def. */
#ifndef LURCHER_CLI_COMPLETION_H
#define LURCHER_CLI_COMPLETION_H

/* Prints it to standard output; the arguments are those after "completion". Returns the exit status. */
int completion_print(int argc, char **argv);

#endif
