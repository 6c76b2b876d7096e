#include "repl.h"

#include "history.h"
#include "line_editor.h"
#include "output.h"
#include "prompt_session.h"
#include "signals.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define PROMPT      "> "
#define MORE_PROMPT ">> "

/* After Ctrl-C an entry has so many seconds to end; then it goes on without the prompt. */
static const double PATIENCE = 0.03;
static const double LONG_TIME = 1e9; /* until something stops the loop */

/* Then it is told, when Ctrl-C is pressed again, that one call into C cannot be stopped: the key after that
 * ends the process. Both by keys that are so far apart, because one that is held down repeats. */
static const double HELD_FOR = 1, APART = 0.5;

/* See session_lend_globals. */
static const char ENTER[] = "return enter(...)";
static const char ENTER_SCRIPT[] = "return enter_script(...)";

static lur_runtime *repl_runtime;
static uintptr_t entry; /* number of the one that was started last */
static volatile sig_atomic_t running;

bool repl_has_terminal(void)
{
  if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) return true;
  output_report(
      "the prompt needs a terminal; lurcher script.lua runs a script, lurcher -e 'code' a line of it");
  return false;
}

/* ---- signals ---- */

static volatile sig_atomic_t warned;
static double warned_after; /* seconds since the first Ctrl-C */

static void end_by_force(void)
{
  lur_kill_processes();
  line_editor_restore_terminal();
  _exit(128 + SIGINT);
}

static void on_interrupt(void)
{
  static const char WARNING[] =
      "\nlurcher: one call into C holds the prompt and cannot be stopped; Ctrl-C again ends lurcher\n";
  double seconds = session_interrupted_for();
  if (!running || seconds < HELD_FOR) {
    warned = false;
  } else if (!warned) {
    ssize_t written = write(STDERR_FILENO, WARNING, sizeof WARNING - 1);
    (void)written;
    warned = true;
    warned_after = seconds;
  } else if (seconds - warned_after > APART) {
    end_by_force();
  }
  if (running && !warned) output_echoed();
  session_interrupt();
}

static void on_prompt_signal(int number)
{
  if (number == SIGINT) on_interrupt();
  if (number == SIGWINCH) line_editor_resized();
  if (number == SIGCONT) line_editor_continued();
  if (number == SIGINT) line_editor_wake();
}

static void watch_signals(void)
{
  static const int numbers[] = {SIGINT, SIGWINCH, SIGCONT};
  struct sigaction action = {.sa_handler = on_prompt_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, NULL);
  signals_watch_hangup();
}

static bool is_interrupted(void) { return session_interrupted() || signals_stopping(); }

/* ---- entries ---- */

static void on_prompt_finished(void)
{
  running = false;
  uv_stop(lur_loop(repl_runtime));
}

/* The entry and all its tasks have ended. */
static void on_entry_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  (void)task;
  bool is_told = status == LUR_OK || status == LUR_CANCELED || !report;
  if (!is_told) output_report(report);
  if ((uintptr_t)ud == entry && running) on_prompt_finished();
}

static double now(void) { return (double)uv_hrtime() / 1e9; }

/* Runs the loop until the entry has ended, or Ctrl-C gave it up. */
static void await_entry(void)
{
  double give_up = 0;
  while (running && !signals_stopping()) {
    lur_run_for(repl_runtime, give_up > 0 ? PATIENCE / 4 : LONG_TIME);
    if (!running || !session_interrupted()) continue;
    if (give_up == 0) {
      give_up = now() + PATIENCE;
      session_cancel();
    } else if (now() > give_up) {
      session_leave();
      running = false;
    }
  }
  session_calm();
}

static void start(const char *chunk, size_t length, int argc, const char *const *argv)
{
  if (!session_lend_globals()) return;
  running = true;
  lur_status status = lur_start(repl_runtime, "@lurcher/prompt", chunk, length, argc, argv, on_entry_done,
                                (void *)++entry, NULL);
  session_return_globals();
  if (status == LUR_OK)
    await_entry();
  else
    output_report(lur_error(repl_runtime));
}

static void run_script(const source *script, const cli_options *options)
{
  int argc = options->argc + 1; /* text, path, arguments */
  char *text = strndup(script->text, script->length);
  const char **argv = malloc((size_t)argc * sizeof *argv);
  if (text && argv) {
    argv[0] = text;
    for (int i = 1; i < argc; i++) argv[i] = options->argv[i - 1];
    start(ENTER_SCRIPT, sizeof ENTER_SCRIPT - 1, argc, argv);
  }
  free(argv);
  free(text);
}

/* ---- lines ---- */

typedef struct {
  char *text; /* what was typed of the entry so far */
  size_t length;
} typed;

static bool add_line(typed *t, const char *line)
{
  size_t length = strlen(line);
  char *grown = realloc(t->text, t->length + length + 2);
  if (!grown) return false;
  t->text = grown;
  if (t->length) t->text[t->length++] = '\n';
  memcpy(t->text + t->length, line, length + 1);
  t->length += length;
  return true;
}

static bool is_blank(const char *text) { return text[strspn(text, " \t\n")] == 0; }

static void run_entry(const char *text)
{
  line_editor_remember(text);
  if (session_keeps(text)) history_append(text);
  start(ENTER, sizeof ENTER - 1, 1, &text);
}

/* Reads and runs one entry. False: the prompt ends. */
static bool take_entry(typed *t)
{
  const char *line;
  t->length = 0;
  do {
    line_result result = line_editor_read(t->length ? MORE_PROMPT : PROMPT, &line);
    if (result == LINE_INTERRUPTED) session_calm();
    if (result != LINE_READ) return result == LINE_INTERRUPTED && !signals_stopping();
    if (t->length == 0 && is_blank(line)) return true;
    if (!add_line(t, line)) return false;
  } while (session_wants_more(t->text));
  run_entry(t->text);
  return !signals_stopping();
}

static bool knows_colours(void)
{
  const char *terminal = getenv("TERM"), *refused = getenv("NO_COLOR");
  return terminal && *terminal && strcmp(terminal, "dumb") != 0 && !(refused && *refused);
}

int repl_run(lur_runtime *rt, const source *script, const cli_options *options)
{
  static const line_editor_hooks hooks = {session_complete, is_interrupted};
  repl_runtime = rt;
  if (!session_open(rt, knows_colours(), on_prompt_finished)) return STATUS_FAILED;
  if (!line_editor_open(rt, &hooks)) return STATUS_FAILED;
  watch_signals();
  if (script->text) run_script(script, options);
  printf("lurcher %s; :help shows more, Ctrl-D ends\n", lur_version());
  history_load(line_editor_remember);
  typed t = {0};
  while (take_entry(&t)) continue;
  free(t.text);
  output_end_line();
  line_editor_close();
  return lur_budget_report(rt) ? STATUS_BUDGET : STATUS_OK;
}
