#include "pager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pager; /* 0: none */

int pager_columns(void)
{
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char *given = getenv("COLUMNS");
  int columns = given ? atoi(given) : 0;
  return columns > 0 ? columns : 80;
}

bool pager_knows_bold(void)
{
  const char *terminal = getenv("TERM");
  return isatty(STDOUT_FILENO) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

/* The command for the shell; NULL: none is wanted, or less could not move about on this terminal. Without
 * less the text is shown as it is. */
static const char *command(void)
{
  const char *wanted = getenv("PAGER");
  if (!wanted && !pager_knows_bold()) return NULL;
  if (!wanted) return "if command -v less >/dev/null; then exec less -R; else exec cat; fi";
  return *wanted && strcmp(wanted, "cat") != 0 ? wanted : NULL;
}

/* In the child. FRX: a page that fits is shown without waiting for a key, and stays on the terminal. */
static void run_pager(const char *wanted, const int ends[2])
{
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  close(ends[1]);
  setenv("LESS", "FRX", 0);
  execl("/bin/sh", "sh", "-c", wanted, (char *)NULL);
  _exit(127);
}

void pager_start(void)
{
  const char *wanted = command();
  int ends[2];
  if (pager || !wanted || !isatty(STDOUT_FILENO) || pipe(ends) != 0) return;
  fflush(stdout);
  pager = fork();
  if (pager == 0) run_pager(wanted, ends);
  if (pager > 0) {
    /* Ctrl-C is the pager's affair; a pager that is left early is no failure of ours. */
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    dup2(ends[1], STDOUT_FILENO);
  }
  close(ends[0]);
  close(ends[1]);
}

void pager_wait(void)
{
  if (pager <= 0) return;
  fclose(stdout);
  while (waitpid(pager, NULL, 0) < 0 && errno == EINTR) continue;
}
