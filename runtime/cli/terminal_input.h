/* Characters from the terminal, one by one, while the runtime's loop goes on. */
#ifndef LURCHER_CLI_TERMINAL_INPUT_H
#define LURCHER_CLI_TERMINAL_INPUT_H

#include "lurcher.h"

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

typedef enum { INPUT_CHARACTER, INPUT_INTERRUPTED, INPUT_ENDED } input_result;

/* The runtime's loop gets handles of the prompt; terminal_input_close has to be called before the runtime is
 * closed. False: there is no memory. */
bool terminal_input_open(lur_runtime *runtime);
void terminal_input_close(void);

/* Waits for the next character; the loop runs meanwhile. `interrupted` is asked whether Ctrl-C was pressed or
 * the process has to end, each time that something woke the loop. */
input_result terminal_input_read(wchar_t *character, bool (*interrupted)(void));

/* Takes what was typed before the terminal was made raw. A Ctrl-D that came then is a NUL now. */
void terminal_input_take_typed_ahead(void);

/* Drops what was typed and is not read yet. */
void terminal_input_drop(void);

/* The next character of a text in UTF-8, U+FFFD for a byte that is none; returns how many bytes it has, 0:
 * more are wanted. */
size_t terminal_input_decode(const char *bytes, size_t length, wchar_t *character);

/* Any signal handler: the loop wakes, and whoever runs it looks at what happened. */
void terminal_input_wake(void);

#endif
