/* What --allow-read, --allow-write and the other lists of names say. */
#ifndef LURCHER_CLI_PATH_RULES_H
#define LURCHER_CLI_PATH_RULES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  char **texts;
  size_t count;
} path_rules;

/* The absolute path without links; what does not exist keeps its name. NULL: out of memory, or no path. The
 * caller frees it. */
char *path_rules_resolve(const char *path);

/* Adds a path, by which it and all below it is meant. False: what is wrong was told. */
bool path_rules_add(path_rules *r, const char *flag, const char *path);

/* Adds names with commas between; those with a slash are paths. */
bool path_rules_add_names(path_rules *r, const char *flag, const char *names);

/* Adds a text as it is. */
void path_rules_note(path_rules *r, const char *text);

bool path_rules_cover(const path_rules *r, const char *path);
bool path_rules_have(const path_rules *r, const char *name);

#endif
