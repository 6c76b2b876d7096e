/* The Lua side of the prompt: the module lurcher.command.repl, asked on the runtime's thread, outside of
 * running scripts. */
#ifndef LURCHER_CLI_PROMPT_SESSION_H
#define LURCHER_CLI_PROMPT_SESSION_H

#include "lurcher.h"

#include <stdbool.h>

/* `finished` is called, out of the loop, when an entry has ended. False: why has been printed. */
bool session_open(lur_runtime *runtime, bool has_colours, void (*finished)(void));

/* Whether a text goes on in the next line. */
bool session_wants_more(const char *text);

/* Whether the history may hold an entry: it shows no secret. */
bool session_keeps(const char *entry);

/* What the Tab key inserts, and what it lists, behind `line`; both are valid until the next call. */
void session_complete(const char *line, const char **insertion, const char **listing);

/* Before and after an entry's chunk is started: its only globals are the functions `enter` and
 * `enter_script`, which give it the script's. So no global that was set to something else keeps entries from
 * running. False: memory ran out. */
bool session_lend_globals(void);
void session_return_globals(void);

/* Cancels the entry that runs; lets it go on without the prompt. */
void session_cancel(void);
void session_leave(void);

/* Signal handler: Ctrl-C. What computes without end is stopped, until session_calm. */
void session_interrupt(void);
bool session_interrupted(void);
double session_interrupted_for(void); /* seconds since the first of those keys */
void session_calm(void);

#endif
