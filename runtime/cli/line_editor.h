/* Editing one line at the terminal, by libedit, while the runtime's loop goes on. What others write meanwhile
 * goes above the line: it is taken away before, and put back after. There is one terminal, and one editor. */
#ifndef LURCHER_CLI_LINE_EDITOR_H
#define LURCHER_CLI_LINE_EDITOR_H

#include "lurcher.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum { LINE_READ, LINE_INTERRUPTED, LINE_ENDED } line_result;

typedef struct {
  /* The Tab key: `line` is what stands before the cursor. Gives what to insert and what to list above the
   * line, in UTF-8, both valid until the next call. */
  void (*complete)(const char *line, const char **insertion, const char **listing);
  /* Whether to give up the line: Ctrl-C was pressed, or the process has to end. */
  bool (*interrupted)(void);
} line_editor_hooks;

/* False: why has been printed. line_editor_close has to be called before the runtime is closed. */
bool line_editor_open(lur_runtime *runtime, const line_editor_hooks *hooks);
void line_editor_close(void);

/* Signal handler, and when the process ends: the terminal is as it was found. */
void line_editor_restore_terminal(void);

/* Reads one line; *text is what was typed, without its newline (a paste has several lines), until the next
 * call. */
line_result line_editor_read(const char *prompt, const char **text);

/* Puts an entry into the history that the arrow keys go through. */
void line_editor_remember(const char *entry);

/* Before something else is written to the terminal: takes the line away, until the loop comes back. */
void line_editor_hide(void);

/* Whether a line is being edited. */
bool line_editor_reading(void);

/* How many columns the terminal has. */
int line_editor_columns(void);

/* Signal handlers: something happened that the hook `interrupted` tells; the terminal has another size; the
 * process was stopped, and goes on. */
void line_editor_wake(void);
void line_editor_resized(void);
void line_editor_continued(void);

#endif
