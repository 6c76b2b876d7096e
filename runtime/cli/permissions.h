/* The permissions of a sandboxed script: --allow-net and the like. What is not named is not allowed. */
#ifndef LURCHER_CLI_PERMISSIONS_H
#define LURCHER_CLI_PERMISSIONS_H

#include "lurcher.h"

#include <stdbool.h>

/* Each takes what stands behind a flag (allow_net: or NULL). False: what is wrong with it was told. */
bool permissions_allow_net(const char *value);
bool permissions_deny_net(const char *value);
bool permissions_allow_read(const char *value);
bool permissions_allow_write(const char *value);
bool permissions_allow_env(const char *value);
bool permissions_allow_run(const char *value);

/* A flag of them was given. */
bool permissions_given(void);

/* Visits the paths that may be read, or written. */
void permissions_each_path(bool written, void (*visit)(const char *path, void *user), void *user);

/* Programs were named that it may run. */
bool permissions_allow_programs(void);

/* Puts a script into the sandbox. `only_tells`: everything is allowed, and standard error is told what would
 * have to be. */
void permissions_connect(lur_options *options, bool only_tells);

#endif
