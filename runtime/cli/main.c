/* The command: runs a script in a runtime of its own. */
#include "lurcher.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  int status;
} outcome;

static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  fwrite(text, 1, length, stdout);
}

static void on_log(lur_log_level level, const char *text, size_t length, void *ud)
{
  (void)level;
  (void)ud;
  fwrite(text, 1, length, stderr);
  fputc('\n', stderr);
}

static void on_exit_called(int code, void *ud)
{
  (void)ud;
  exit(code);
}

static void on_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  (void)task;
  if (status == LUR_OK) return;
  ((outcome *)ud)->status = 1;
  fflush(stdout);
  fprintf(stderr, "lurcher: %s\n", report ? report : lur_status_name(status));
}

static char *read_file(const char *path, size_t *length)
{
  FILE *file = fopen(path, "rb");
  char *text = NULL;
  size_t size = 0, capacity = 0, got;
  if (!file) return NULL;
  do {
    if (size == capacity) {
      capacity = capacity ? capacity * 2 : 16384;
      char *grown = realloc(text, capacity);
      if (!grown) break;
      text = grown;
    }
    got = fread(text + size, 1, capacity - size, file);
    size += got;
  } while (got > 0);
  if (ferror(file)) {
    free(text);
    text = NULL;
  }
  fclose(file);
  *length = size;
  return text;
}

static const char test_script[] = "return require('lurcher.test').run(...)";

int main(int argc, char **argv)
{
  if (argc < 2) {
    fputs("usage: lurcher script.lua [args...]\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  size_t length = sizeof test_script - 1;
  char *text = NULL, name[4096];
  const char *source = test_script;
  int is_test = strcmp(argv[1], "test") == 0;
  if (!is_test && !(source = text = read_file(argv[1], &length))) {
    perror(argv[1]);
    return 2;
  }
  snprintf(name, sizeof name, "%s%s", is_test ? "=" : "@", is_test ? "lurcher test" : argv[1]);

  lur_options options;
  lur_runtime *runtime;
  outcome result = {0};
  lur_options_init(&options);
  options.print = on_print;
  options.log = on_log;
  options.exit = on_exit_called;
  lur_status status = lur_open(&runtime, &options);
  if (status != LUR_OK) {
    fprintf(stderr, "lurcher: %s\n", lur_status_name(status));
    free(text);
    return 1;
  }
  const char *const *arguments = (const char *const *)argv + 2;
  status = lur_set_arg(runtime, argv[1], argc - 2, arguments);
  if (status == LUR_OK)
    status = lur_start(runtime, name, source, length, argc - 2, arguments, on_done, &result, NULL);
  free(text);
  if (status == LUR_OK) {
    lur_run(runtime);
  } else {
    fprintf(stderr, "lurcher: %s\n", lur_error(runtime));
    result.status = 1;
  }
  lur_close(runtime, NULL, NULL);
  return result.status;
}
