#include "output.h"

#include "line_editor.h"
#include "progress.h"
#include "prompt_session.h"
#include "signals.h"
#include "summaries.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool on_terminal; /* standard output is one, perhaps that of the progress line */
static bool in_line;     /* what was written last did not end with a newline */
static volatile sig_atomic_t echoed;
static bool trace_shown;
static int print_error; /* errno of the first write that failed */

/* At the prompt Ctrl-C drops the rest of a long text, which slow terminals would show for seconds. */
enum { PIECE = 4096 };

/* How much of it was written. */
static size_t write_out(const char *text, size_t length)
{
  size_t done = 0, size = on_terminal ? PIECE : length;
  while (done < length) {
    size_t piece = length - done < size ? length - done : size;
    errno = 0;
    if (fwrite(text + done, 1, piece, stdout) != piece) break;
    done += piece;
    if (session_interrupted()) return done;
  }
  if (done == length || print_error) return done;
  print_error = errno;
  signals_stop(); /* its output would be lost */
  return done;
}

void output_echoed(void) { echoed = true; }

/* What is printed next, and the prompt, come below such a key. */
static void end_echo(void)
{
  if (!echoed) return;
  echoed = in_line = false;
  fputc('\n', stdout);
}

/* What stands in the terminal's last lines is taken away before something is written there. */
static void clear_place(void)
{
  line_editor_hide();
  progress_hide();
}

static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  if (!on_terminal) {
    write_out(text, length);
    return;
  }
  clear_place();
  end_echo();
  size_t written = write_out(text, length);
  if (written) in_line = text[written - 1] != '\n';
  fflush(stdout);
  progress_show();
}

void output_line(const char *text)
{
  on_print(text, strlen(text), NULL);
  on_print("\n", 1, NULL);
}

void output_end_line(void)
{
  end_echo();
  if (in_line) on_print("\n", 1, NULL);
}

/* By fprintf, which makes one write of it, so that lines of several processes do not mix. */
static void on_trace(const char *text, size_t length, void *ud)
{
  (void)ud;
  if (!trace_shown) return;
  clear_place();
  fprintf(stderr, "lurcher: %.*s\n", (int)length, text);
  progress_show();
}

void output_show_trace(bool on) { trace_shown = on; }

static void on_log(lur_log_level level, const char *text, size_t length, void *ud)
{
  (void)level;
  (void)ud;
  clear_place();
  fprintf(stderr, "%.*s\n", (int)length, text);
  progress_show();
}

void output_report(const char *text)
{
  line_editor_hide();
  progress_end();
  end_echo();
  fflush(stdout);
  fprintf(stderr, "lurcher: %s\n", text);
}

static void on_exit_called(int code, void *ud)
{
  lur_runtime **runtime = ud;
  progress_end();
  const char *budget = lur_budget_report(*runtime);
  if (budget) output_report(budget);
  if (!summaries_write() && !code) code = STATUS_FAILED;
  exit(output_finish(budget ? STATUS_BUDGET : code));
}

void output_connect(lur_options *runtime_options, const cli_options *options, lur_runtime **runtime)
{
  runtime_options->ud = runtime;
  runtime_options->print = on_print;
  runtime_options->log = on_log;
  runtime_options->exit = on_exit_called;
  runtime_options->log_level = options->log_level;
  trace_shown = options->trace;
  runtime_options->trace = options->trace || options->kind == SOURCE_PROMPT ? on_trace : NULL;
  runtime_options->trace_detail = options->trace_detail;
  progress_connect(runtime_options);
  on_terminal = isatty(STDOUT_FILENO);
}

int output_finish(int status)
{
  errno = 0;
  bool failed = fflush(stdout) != 0 || ferror(stdout);
  if (!failed) return status;
  signals_end_by_broken_pipe();
  int error = print_error ? print_error : errno;
  fprintf(stderr, "lurcher: cannot write to standard output: %s%s%s\n", error ? strerrorname_np(error) : "",
          error ? ": " : "", error ? strerror(error) : "an earlier write failed");
  return status ? status : STATUS_FAILED;
}
