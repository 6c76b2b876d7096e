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

static const char ENTER[] = "return require('lurcher.command.repl').enter(...)";
static const char ENTER_SCRIPT[] = "return require('lurcher.command.repl').enter_script(...)";

static lur_runtime *runtime;
static uintptr_t entry; /* number of the one that was started last */
static bool running;

bool repl_has_terminal(void)
{
  if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) return true;
  output_report(
      "the prompt needs a terminal; lurcher script.lua runs a script, lurcher -e 'code' a line of it");
  return false;
}

/* ---- signals ---- */

static void on_signal(int number)
{
  if (number == SIGINT) session_interrupt();
  if (number == SIGWINCH) line_editor_resized();
  if (number == SIGCONT) line_editor_continued();
  if (number == SIGINT) line_editor_wake();
}

static void watch_signals(void)
{
  static const int numbers[] = {SIGINT, SIGWINCH, SIGCONT};
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, NULL);
  signals_watch_hangup();
}

static bool is_interrupted(void) { return session_interrupted() || signals_stopping(); }

/* ---- entries ---- */

static void on_finished(void)
{
  running = false;
  uv_stop(lur_loop(runtime));
}

/* The entry and all its tasks have ended. */
static void on_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  (void)task;
  bool is_told = status == LUR_OK || status == LUR_CANCELED || !report;
  if (!is_told) output_report(report);
  if ((uintptr_t)ud == entry && running) on_finished();
}

static double now(void) { return (double)uv_hrtime() / 1e9; }

/* Runs the loop until the entry has ended, or Ctrl-C gave it up. */
static void await_entry(void)
{
  double give_up = 0;
  while (running && !signals_stopping()) {
    lur_run_for(runtime, give_up > 0 ? PATIENCE / 4 : LONG_TIME);
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
  running = true;
  lur_status status =
      lur_start(runtime, "@lurcher/prompt", chunk, length, argc, argv, on_done, (void *)++entry, NULL);
  if (status == LUR_OK)
    await_entry();
  else
    output_report(lur_error(runtime));
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
  runtime = rt;
  if (!session_open(rt, knows_colours(), on_finished)) return STATUS_FAILED;
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
