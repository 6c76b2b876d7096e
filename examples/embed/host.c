/* A program that runs Lua scripts on its own libuv loop, beside its own work: here a timer that ticks.
 *
 *   host script.lua...     runs all of them at the same time; without any, one that is built in
 */
#include <lurcher.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct {
  uv_loop_t *loop;
  uv_timer_t ticker;
  lur_runtime *runtime;
  int ticks, running, failed;
} host;

static const char built_in[] = "local task = require 'lurcher.task'\n"
                               "task.map({ 'one', 'two', 'three' }, function(name, i)\n"
                               "  task.sleep(i * 0.1)\n"
                               "  print('script: ' .. name)\n"
                               "end)\n";

/* ---- the host's own work ---- */

static void on_tick(uv_timer_t *ticker)
{
  host *h = ticker->data;
  h->ticks++;
  printf("host: tick\n");
}

/* ---- what the runtime tells the host; always on the loop's thread ---- */

static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  fwrite(text, 1, length, stdout);
}

static void on_log(lur_log_level level, const char *text, size_t length, void *ud)
{
  (void)level;
  (void)ud;
  fprintf(stderr, "%.*s\n", (int)length, text);
}

/* Nothing of the runtime is left: its handles no longer keep the loop running, and now ours no longer do. */
static void on_closed(void *ud)
{
  host *h = ud;
  printf("host: closed\n");
  uv_close((uv_handle_t *)&h->ticker, NULL);
}

/* A script has ended. Here the host closes the runtime after the last one; another might keep it and start
 * more scripts whenever it likes, from here too. */
static void on_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  host *h = ud;
  (void)task;
  if (status != LUR_OK) h->failed++;
  printf("host: script ended: %s\n", lur_status_name(status));
  if (report) fprintf(stderr, "%s\n", report);
  if (--h->running == 0) lur_close(h->runtime, on_closed, h);
}

/* ---- starting scripts ---- */

static int start(host *h, const char *name, const char *text, size_t length)
{
  char chunkname[256];
  snprintf(chunkname, sizeof chunkname, "@%s", name);
  /* The script runs once the loop does. on_done is never called before lur_start has returned. */
  if (lur_start(h->runtime, chunkname, text, length, 0, NULL, on_done, h, NULL) == LUR_OK) {
    h->running++;
    return 0;
  }
  fprintf(stderr, "%s\n", lur_error(h->runtime)); /* it does not compile */
  return -1;
}

static int start_file(host *h, const char *path)
{
  static char text[1 << 20];
  FILE *file = fopen(path, "rb");
  size_t length = file ? fread(text, 1, sizeof text, file) : 0;
  int failed = !file || ferror(file) || !feof(file);
  if (file) fclose(file);
  if (!failed) return start(h, path, text, length);
  fprintf(stderr, "%s cannot be read\n", path);
  return -1;
}

int main(int argc, char **argv)
{
  host h = {.loop = uv_default_loop()};
  lur_options options;

  uv_timer_init(h.loop, &h.ticker);
  h.ticker.data = &h;
  uv_timer_start(&h.ticker, on_tick, 50, 50);

  lur_options_init(&options);
  options.loop = h.loop; /* without it the runtime makes its own, which lur_run runs */
  options.ud = &h;
  options.print = on_print;
  options.log = on_log;
  if (lur_open(&h.runtime, &options) != LUR_OK) return 1;

  if (argc < 2 && start(&h, "built_in", built_in, sizeof built_in - 1) != 0) h.failed++;
  for (int i = 1; i < argc; i++)
    if (start_file(&h, argv[i]) != 0) h.failed++;
  if (h.running == 0) lur_close(h.runtime, on_closed, &h);

  uv_run(h.loop, UV_RUN_DEFAULT);
  uv_loop_close(h.loop);
  printf("host: %s\n", h.ticks > 0 ? "it ticked meanwhile" : "there was no time to tick");
  return h.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
