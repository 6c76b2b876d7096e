/* The permissions of a sandboxed script: --allow-net and the like. What is not named is not allowed. */
#ifndef LURCHER_CLI_PERMISSIONS_H
#define LURCHER_CLI_PERMISSIONS_H

#include "lurcher.h"

#include <stdbool.h>
#include <sys/types.h>

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

/* Whether a variable of the environment, "NAME=value", may be read. */
bool permissions_allow_variable(const char *variable);

/* What of the network may be reached at all. */
typedef struct {
  bool internet, sockets; /* hosts, and Unix sockets */
  bool any_port;          /* there is a host that names no port */
} permissions_reach;

void permissions_get_reach(permissions_reach *reach);

/* Visits the ports that may be connected to and listened on, that of DNS, and 0, which is any port of one's
 * own; none where no host may be reached. */
void permissions_each_port(void (*visit)(int port, void *user), void *user);

/* Visits the paths of Unix sockets that may be connected to and made. */
void permissions_each_socket(void (*visit)(const char *path, void *user), void *user);

/* In a new process: paths below /proc/PID of the process before it are its own now. */
void permissions_follow_fork(pid_t before);

/* Puts a script into the sandbox. `only_tells`: everything is allowed, and standard error is told what would
 * have to be. */
void permissions_connect(lur_options *options, bool only_tells);

#endif
