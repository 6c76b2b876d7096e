/* What SIGINT, SIGTERM, SIGPIPE and SIGXFSZ do to a running script. State of the process, not of a runtime:
 * there is one of each. */
#ifndef LURCHER_CLI_SIGNALS_H
#define LURCHER_CLI_SIGNALS_H

#include "lurcher.h"

#include <stdbool.h>
#include <sys/types.h>

/* From now on the first SIGINT or SIGTERM cancels the runtime's scripts, and 5 seconds later ends the
 * process, should they still run; a second one ends it at once. With `grace` seconds, SIGTERM lets running
 * requests go on for so long first. 5 seconds after `max_time` (0: none), over which the runtime itself
 * watches, the process is ended as well. A write to a standard output that nobody reads any more cancels them
 * too. SIGINT and SIGTERM stay ignored where they are. A file that grows beyond its limit is an error of the
 * write. */
void signals_watch(lur_runtime *runtime, double grace, double max_time);

/* The process `parent` passes signals on by sigqueue: one that the whole group was sent counts once. */
void signals_come_from(pid_t parent);

/* SIGHUP does what SIGTERM does, too: the terminal is gone, or soon will be. */
void signals_watch_hangup(void);

/* Signals no longer reach the runtime, which is about to be closed; they still end the process. */
void signals_forget(void);

/* Cancels the scripts as a signal would, but leaves the exit status alone. */
void signals_stop(void);

/* The first SIGINT, SIGTERM or SIGHUP that came, or 0. */
int signals_received(void);

/* Whether the scripts were cancelled from here, for whatever reason. */
bool signals_stopping(void);

/* If standard output lost its reader: ends the process by SIGPIPE, as other programs end. */
void signals_end_by_broken_pipe(void);

#endif
