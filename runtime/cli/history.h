/* The file that the prompt keeps its history in: $XDG_STATE_HOME/lurcher/history, readable by its owner only.
 * Without it the prompt works all the same. */
#ifndef LURCHER_CLI_HISTORY_H
#define LURCHER_CLI_HISTORY_H

/* Gives each entry of the file to `remember`, the oldest first. What stands in the way is printed, once. */
void history_load(void (*remember)(const char *entry));

/* Adds an entry, which may have several lines. */
void history_append(const char *entry);

#endif
