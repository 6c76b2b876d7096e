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
/* Before the pages: the width, whether bold is understood, the topic. Then of each page its name, its text,
 * and how it is laid out. */
enum { FIXED_ARGUMENTS = 3, PAGE_ARGUMENTS = 3 };

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

static void on_page_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  pager_start();
  fwrite(text, 1, length, stdout);
}

static void on_page_exit(int code, void *ud)
{
  (void)ud;
  exit(output_finish(code));
}

static void on_page_done(lur_task *task, lur_status status, const char *text, void *ud)
{
  (void)task;
  int *exit_status = ud;
  *exit_status = status == LUR_OK ? STATUS_OK : STATUS_FAILED;
  if (text) output_report(text);
}

static int run_page(const char **arguments, int count)
{
  int exit_status = STATUS_FAILED;
  lur_options options;
  lur_runtime *runtime;
  lur_options_init(&options);
  options.print = on_page_print;
  options.exit = on_page_exit;
  if (lur_open(&runtime, &options) != LUR_OK) return STATUS_FAILED;
  if (lur_start(runtime, "@lurcher/help", SCRIPT, sizeof SCRIPT - 1, count, arguments, on_page_done,
                &exit_status, NULL) == LUR_OK)
    lur_run(runtime);
  lur_close(runtime, NULL, NULL);
  return exit_status;
}

/* Which form of a page has this width; -1: none. */
static int form_for(int columns)
{
  if (columns > manual_columns[MANUAL_FORMS - 1]) return MANUAL_FORMS - 1;
  int form = MANUAL_FORMS - 1;
  while (form >= 0 && manual_columns[form] != columns) form--;
  return form;
}

static void add_pages(const char **arguments, int form)
{
  for (size_t i = 0; i < manual_pages_count; i++) {
    *arguments++ = manual_pages[i].name;
    *arguments++ = manual_pages[i].text;
    *arguments++ = form < 0 ? "" : manual_pages[i].laid_out[form];
  }
}

int manual_show(const cli_options *options)
{
  int status = STATUS_FAILED, count = FIXED_ARGUMENTS + PAGE_ARGUMENTS * (int)manual_pages_count;
  char width[16], *topic = join_words(options->argc, options->argv);
  const char **arguments = malloc((size_t)count * sizeof *arguments);
  if (!topic || !arguments) {
    output_report("not enough memory for the manual");
    goto fail;
  }
  int columns = pager_columns();
  snprintf(width, sizeof width, "%d", columns);
  arguments[0] = width;
  arguments[1] = pager_knows_bold() ? "bold" : "plain";
  arguments[2] = topic;
  add_pages(arguments + FIXED_ARGUMENTS, form_for(columns));
  status = run_page(arguments, count);
fail:
  free(arguments);
  free(topic);
  status = output_finish(status);
  pager_wait();
  return status;
}
