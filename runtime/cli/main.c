/* The command: runs one script in a runtime of its own. */
#include "completion.h"
#include "heap.h"
#include "hung_spec.h"
#include "isolation.h"
#include "manual.h"
#include "options.h"
#include "output.h"
#include "permissions.h"
#include "repl.h"
#include "signals.h"
#include "source.h"
#include "standard_streams.h"
#include "summaries.h"
#include "tape.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

/* The usual limit of 1,024 open files is for programs that use select(). A script may want more connections.
 */
static void raise_descriptor_limit(void)
{
  static const rlim_t enough = 65536;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= enough) return;
  limit.rlim_cur = limit.rlim_max < enough ? limit.rlim_max : enough;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void on_done(lur_task *task, lur_status status, const char *text, void *ud)
{
  (void)task;
  int *exit_status = ud;
  bool limited = status == LUR_BUDGET || status == LUR_LIMIT;
  *exit_status = status == LUR_OK ? STATUS_OK : limited ? STATUS_BUDGET : STATUS_FAILED;
  if (status == LUR_OK || (status == LUR_CANCELED && signals_stopping() && !text)) return;
  if (status == LUR_CANCELED && !text) text = "the script was cancelled";
  output_report(text ? text : lur_status_name(status));
}

/* `...` cannot hold more; `arg` can. */
enum { MAX_ARGUMENTS = 20000 };

static int shortened(int argc)
{
  if (argc <= MAX_ARGUMENTS) return argc;
  char text[128];
  snprintf(text, sizeof text, "of %d arguments `...` holds the first %d; the table `arg` holds them all",
           argc, (int)MAX_ARGUMENTS);
  output_report(text);
  return MAX_ARGUMENTS;
}

/* Starts the script and runs it to its end. */
static int run(lur_runtime *runtime, const source *script, const cli_options *options)
{
  int exit_status = STATUS_FAILED;
  const char *const *arguments = (const char *const *)options->argv;
  bool is_prompt = options->kind == SOURCE_PROMPT;
  int own = is_prompt && options->argc > 0; /* the script itself */
  if (!tape_begin(runtime, options)) return STATUS_USAGE;
  if (options->kind == SOURCE_TESTS) hung_spec_prepare(runtime);
  lur_status status = lur_set_arg(runtime, script->argument, options->argc - own, arguments + own);
  if (status == LUR_OK && !is_prompt)
    status = lur_start(runtime, script->chunkname, script->text, script->length, shortened(options->argc),
                       arguments, on_done, &exit_status, NULL);
  if (status == LUR_OK) {
    summaries_watch(runtime);
    if (is_prompt)
      exit_status = repl_run(runtime, script, options);
    else
      status = lur_run(runtime);
  }
  if (status != LUR_OK) output_report(lur_error(runtime));
  if (status == LUR_NO_MEMORY && options->memory) exit_status = STATUS_BUDGET;
  if (!tape_end(runtime, options, exit_status) && exit_status == STATUS_OK) exit_status = STATUS_FAILED;
  if (!summaries_write() && exit_status == STATUS_OK) exit_status = STATUS_FAILED;
  return exit_status;
}

/* Tells why there is no runtime, and gives the exit status. */
static int report_not_opened(lur_status status, const cli_options *options)
{
  struct rlimit limit = {0};
  char text[128];
  if (status == LUR_NO_MEMORY) {
    snprintf(text, sizeof text, "the limit 'memory' of %zu bytes was reached: that is too little to start",
             options->memory);
    output_report(options->memory ? text : "not enough memory to start");
    return options->memory ? STATUS_BUDGET : STATUS_FAILED;
  }
  getrlimit(RLIMIT_NOFILE, &limit);
  snprintf(text, sizeof text, "the event loop cannot be made: too few files may be open (the limit is %llu)",
           (unsigned long long)limit.rlim_cur);
  output_report(text);
  return STATUS_FAILED;
}

int main(int argc, char **argv)
{
  cli_options options;
  source script;
  int status;
  heap_prepare();
  standard_streams_prepare();
  raise_descriptor_limit();
  if (!options_parse(&options, argc, argv, &status)) return output_finish(status);
  if (options.kind == SOURCE_COMPLETION) return output_finish(completion_print(options.argc, options.argv));
  if (options.kind == SOURCE_HELP) return manual_show(&options);
  if (options.kind == SOURCE_PROMPT && !repl_has_terminal()) return output_finish(STATUS_USAGE);
  if (!source_read(&script, &options)) return STATUS_USAGE;

  lur_options runtime_options;
  lur_runtime *runtime;
  lur_options_init(&runtime_options);
  output_connect(&runtime_options, &options, &runtime);
  runtime_options.max_requests = options.max_requests;
  runtime_options.max_bytes = options.max_bytes;
  runtime_options.max_seconds = options.max_time;
  runtime_options.memory_limit = options.memory;
  runtime_options.cpu_seconds = options.cpu;
  runtime_options.burst_seconds = options.burst;
  if (options.sandbox) permissions_connect(&runtime_options, options.sandbox_tells);
  if (!summaries_prepare(&runtime_options, &options)) {
    source_free(&script);
    return STATUS_USAGE;
  }
  if (options.isolate) isolation_begin(&options);
  lur_status opened = lur_open(&runtime, &runtime_options);
  if (opened == LUR_OK) {
    signals_watch(runtime, options.grace, options.max_time);
    status = run(runtime, &script, &options);
    signals_forget();
    lur_close(runtime, NULL, NULL);
  } else {
    status = report_not_opened(opened, &options);
  }
  source_free(&script);
  if (signals_received()) status = 128 + signals_received();
  return output_finish(status);
}
