/* The pages are kept in the command, not in the library: no host pays for them. The module
 * lurcher.command.help chooses and renders one; it gets all of them as arguments. */
#include "manual.h"

#include "lurcher.h"
#include "manual_pages.h"
#include "output.h"
#include "pager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char SCRIPT[] = "return require('lurcher.command.help').run(...)";
enum { FIXED_ARGUMENTS = 3 }; /* before the pages: the width, whether bold is understood, the topic */

/* "circuit breakers" out of the arguments "circuit" and "breakers"; the caller frees it. */
static char *join_words(int count, char **words)
{
  size_t size = 1;
  for (int i = 0; i < count; i++) size += strlen(words[i]) + 1;
  char *text = malloc(size);
  if (!text) return NULL;
  *text = 0;
  for (int i = 0; i < count; i++) {
    if (i) strcat(text, " ");
    strcat(text, words[i]);
  }
  return text;
}

static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  pager_start();
  fwrite(text, 1, length, stdout);
}

static void on_exit_called(int code, void *ud)
{
  (void)ud;
  exit(output_finish(code));
}

static void on_done(lur_task *task, lur_status status, const char *text, void *ud)
{
  (void)task;
  int *exit_status = ud;
  *exit_status = status == LUR_OK ? STATUS_OK : STATUS_FAILED;
  if (text) output_report(text);
}

static int run(const char **arguments, int count)
{
  int exit_status = STATUS_FAILED;
  lur_options options;
  lur_runtime *runtime;
  lur_options_init(&options);
  options.print = on_print;
  options.exit = on_exit_called;
  if (lur_open(&runtime, &options) != LUR_OK) return STATUS_FAILED;
  if (lur_start(runtime, "@lurcher/help", SCRIPT, sizeof SCRIPT - 1, count, arguments, on_done, &exit_status,
                NULL) == LUR_OK)
    lur_run(runtime);
  lur_close(runtime, NULL, NULL);
  return exit_status;
}

int manual_show(const cli_options *options)
{
  int status = STATUS_FAILED, count = FIXED_ARGUMENTS + 2 * (int)manual_pages_count;
  char width[16], *topic = join_words(options->argc, options->argv);
  const char **arguments = malloc((size_t)count * sizeof *arguments);
  if (!topic || !arguments) {
    output_report("not enough memory for the manual");
    goto fail;
  }
  snprintf(width, sizeof width, "%d", pager_columns());
  arguments[0] = width;
  arguments[1] = pager_knows_bold() ? "bold" : "plain";
  arguments[2] = topic;
  const char *text = (const char *)manual_pages;
  for (int i = FIXED_ARGUMENTS; i < count; i++, text += strlen(text) + 1) arguments[i] = text;
  status = run(arguments, count);
fail:
  free(arguments);
  free(topic);
  status = output_finish(status);
  pager_wait();
  return status;
}
