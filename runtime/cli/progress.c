#include "progress.h"

#include "line_editor.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Back to the first column; erase to the end of the line. */
#define START "\r"
#define ERASE "\033[K"

static char line[1024]; /* what is on the terminal now */
static size_t line_length;

static int terminal_columns(void)
{
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* By one fprintf, which makes one write of it. */
void progress_show(void)
{
  if (line_length) fprintf(stderr, START "%.*s" ERASE, (int)line_length, line);
}

void progress_hide(void)
{
  if (line_length) fputs(START ERASE, stderr);
}

void progress_end(void)
{
  progress_hide();
  line_length = 0;
}

static int on_progress(const char *text, size_t length, void *ud)
{
  (void)ud;
  if (line_editor_reading()) return terminal_columns(); /* the line that is edited has the place */
  if (length && text[length - 1] == '\n') {
    fprintf(stderr, START "%.*s" ERASE "\n", (int)length - 1, text);
    line_length = 0;
  } else if (length == 0) {
    progress_end();
  } else {
    line_length = length < sizeof line ? length : sizeof line;
    memcpy(line, text, line_length);
    progress_show();
  }
  return terminal_columns();
}

void progress_connect(lur_options *runtime_options)
{
  const char *terminal = getenv("TERM");
  bool redraws = terminal && *terminal && strcmp(terminal, "dumb") != 0;
  if (redraws && isatty(STDERR_FILENO)) runtime_options->progress = on_progress;
}
