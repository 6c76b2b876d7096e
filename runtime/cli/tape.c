#include "tape.h"

#include "output.h"

#include <string.h>

/* lua/lurcher/command/tape.lua */
static const char begin[] = "require('lurcher.command.tape').begin(...)";
static const char end[] = "require('lurcher.command.tape').finish(...)";

static void on_part_done(lur_task *task, lur_status status, const char *text, void *ud)
{
  (void)task;
  bool *well = ud;
  *well = status == LUR_OK;
  if (text) output_report(text);
}

/* A task of its own, before the script or behind it. */
static bool run_part(lur_runtime *runtime, const char *text, int argc, const char *const *arguments)
{
  bool well = false;
  lur_status status =
      lur_start(runtime, "@lurcher/command", text, strlen(text), argc, arguments, on_part_done, &well, NULL);
  if (status == LUR_OK) status = lur_run(runtime);
  if (status != LUR_OK) output_report(lur_error(runtime));
  return status == LUR_OK && well;
}

bool tape_begin(lur_runtime *runtime, const cli_options *options)
{
  if (options->record) return run_part(runtime, begin, 2, (const char *[]){"all", options->record});
  if (options->replay) return run_part(runtime, begin, 2, (const char *[]){"none", options->replay});
  return true;
}

bool tape_end(lur_runtime *runtime, const cli_options *options, int exit_status)
{
  if (!options->record && !options->replay) return true;
  return run_part(runtime, end, 1, (const char *[]){exit_status == STATUS_OK ? "" : "failed"});
}
