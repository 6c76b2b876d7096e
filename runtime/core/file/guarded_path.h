/* Where a path leads, which is what a permission is asked for. */
#ifndef LURCHER_CORE_GUARDED_PATH_H
#define LURCHER_CORE_GUARDED_PATH_H

#include <stdbool.h>

enum { MAX_LINKS = 40 /* that a path leads through, as in the kernel */ };

/* Where it leads now: absolute, without links, guarded. `follows`: also when its last name is a link. What
 * does not exist keeps its name. The standard streams stay "/dev/stdin" and so on unless they are files.
 * The caller frees it; NULL: errno says why. */
char *guarded_path(const char *path, bool follows);

#endif
