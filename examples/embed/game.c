/* A program with a loop of its own, as a game has: each frame it moves things, gives scripts a millisecond,
 * and draws. Scripts steer what moves, and wait for frames as they wait for anything else.
 *
 *   game [script.lua]     without a script: one that is built in; ends when the script does
 *
 * In a script:
 *   local game = require("host").game
 *   game.steer(1)                -- pixels a frame, also negative
 *   local frame, x = game.frame()     -- waits for the next one
 */
#include <lurcher.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FRAMES_A_SECOND = 60, MAX_WAITING = 64, WIDTH = 40 };

static const char built_in[] = "local game, task = require('host').game, require 'lurcher.task'\n"
                               "for _, speed in ipairs { 3, -2, 1 } do\n"
                               "  game.steer(speed)\n"
                               "  local frame, x\n"
                               "  for _ = 1, 5 do frame, x = game.frame() end\n"
                               "  print(('frame %d: at %d'):format(frame, x))\n"
                               "end\n";

typedef struct {
  int frame, x, speed;
  lur_call *waiting[MAX_WAITING]; /* scripts that wait for the next frame */
  int waiting_count;
  int ended, failed;
} game;

/* ---- functions for scripts ---- */

static void steer(lur_call *call, void *ud)
{
  game *g = ud;
  if (lur_arg_type(call, 1) != LUR_TYPE_NUMBER) {
    lur_raise(call, "game.steer: the speed must be a number");
    return;
  }
  g->speed = (int)lur_arg_number(call, 1);
}

static void frame(lur_call *call, void *ud)
{
  game *g = ud;
  if (g->waiting_count == MAX_WAITING)
    lur_fail(call, "busy", "too many tasks wait for the next frame");
  else if (lur_pend(call, NULL, NULL, NULL) == LUR_OK)
    g->waiting[g->waiting_count++] = call;
}

/* A call is completed whether somebody waits for it or not. */
static void tell_frame(game *g)
{
  int count = g->waiting_count;
  g->waiting_count = 0;
  for (int i = 0; i < count; i++) {
    lur_return_number(g->waiting[i], g->frame);
    lur_return_number(g->waiting[i], g->x);
    lur_complete(g->waiting[i]);
  }
}

/* ---- what the runtime tells ---- */

static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  fwrite(text, 1, length, stdout);
}

static void on_result(lur_task *task, const lur_result *result, void *ud)
{
  game *g = ud;
  (void)task;
  g->ended = 1;
  g->failed = result->status != LUR_OK;
  if (result->report) fprintf(stderr, "%s\n", result->report);
}

/* ---- the loop ---- */

static void move(game *g)
{
  g->frame++;
  g->x += g->speed;
  if (g->x < 0) g->x = 0;
  if (g->x > WIDTH) g->x = WIDTH;
}

static void draw(const game *g) { printf("%*s@\n", g->x, ""); }

static void wait_for_frame(void)
{
  struct timespec pause = {.tv_nsec = 1000000000L / FRAMES_A_SECOND};
  nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
  static char text[1 << 20];
  game g = {.x = WIDTH / 2};
  lur_options options;
  lur_runtime *runtime;
  lur_options_init(&options);
  options.ud = &g;
  options.print = on_print;
  options.slice_seconds = 0.0005; /* a script that computes gives the game its turn so often */
  options.burst_seconds = 0.1;    /* and one that does not wait for so long is ended */
  if (lur_open(&runtime, &options) != LUR_OK) return EXIT_FAILURE;
  lur_register(runtime, "game.steer", steer, &g);
  lur_register(runtime, "game.frame", frame, &g);

  lur_script script = {.size = sizeof script, .source = built_in, .length = sizeof built_in - 1};
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  char name[256];
  snprintf(name, sizeof name, "@%s", file ? argv[1] : "built_in");
  script.chunkname = name;
  if (file) {
    script.source = text;
    script.length = fread(text, 1, sizeof text, file);
    fclose(file);
  }
  script.done = on_result;
  script.ud = &g;
  if (lur_run_script(runtime, &script, NULL) != LUR_OK) {
    fprintf(stderr, "%s\n", lur_error(runtime));
    g.ended = g.failed = 1;
  }
  while (!g.ended) {
    move(&g);
    tell_frame(&g);
    lur_run_for(runtime, 0.001); /* scripts, and what comes over the network for them */
    draw(&g);
    wait_for_frame();
  }
  lur_close(runtime, NULL, NULL);
  tell_frame(&g); /* completes what is still out */
  return g.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
