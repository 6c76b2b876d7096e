/* The smallest host: runs one script with an installed liblurcher and prints what the script prints. */
#include <lurcher_lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef CLASHES
/* Names that the library has for itself. It must neither refuse to be linked nor call these. */
#define MINE(name)                                                                                           \
  void name(void);                                                                                           \
  void name(void) { abort(); }
MINE(url_parse)
MINE(buffer_append)
MINE(loop_init)
MINE(error_set)
MINE(task_wait)
MINE(luaopen_lurcher_native_task)
#endif

static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  fwrite(text, 1, length, stdout);
}

static void on_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  (void)task;
  *(lur_status *)ud = status;
  if (report) fprintf(stderr, "%s\n", report);
}

int main(void)
{
  static const char source[] =
      "require('lurcher.task').sleep(0.001) print(require('lurcher.json').encode { ok = true })";
  lur_options options;
  lur_runtime *runtime;
  lur_status ended = LUR_INVALID;
  lur_options_init(&options);
  options.print = on_print;
  if (lur_open(&runtime, &options) != LUR_OK) return 1;
  if (lur_start(runtime, "@host", source, strlen(source), 0, NULL, on_done, &ended, NULL) != LUR_OK) return 1;
  if (!lur_lua(runtime) || lur_run(runtime) != LUR_OK) return 1;
  lur_close(runtime, NULL, NULL);
  return ended == LUR_OK ? 0 : 1;
}
