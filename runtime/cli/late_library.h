/* Libraries that are loaded when they are wanted: what does not want them does not pay for them. */
#ifndef LURCHER_CLI_LATE_LIBRARY_H
#define LURCHER_CLI_LATE_LIBRARY_H

#include <stdbool.h>

typedef struct {
  const char *name;
  void *place; /* a pointer to the function, to be filled in */
} late_function;

/* Loads a library for as long as the process runs. The last of `functions` has no name. False: it is not
 * there, or lacks one of them, and why has been printed after `needs`, which names the library's package. */
bool late_library_load(const char *file, const char *needs, const late_function *functions);

#endif
