#include "hung_spec.h"

#include "lurcher_lua.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long one task must hold the loop to be the one that hangs; else others run, and time limits do. */
static const double HELD_SECONDS = 1;

static struct {
  timer_t timer;
  bool has_timer;
  const lur_runtime *runtime;
  char text[512]; /* written while the timer is off */
} spec_watch;

static void set_timer(double seconds)
{
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)seconds}};
  when.it_value.tv_nsec = (long)((seconds - floor(seconds)) * 1e9);
  timer_settime(spec_watch.timer, 0, &when, NULL);
}

static void tell(const char *text)
{
  ssize_t written = write(STDERR_FILENO, text, strlen(text));
  (void)written;
}

/* Only what is safe in a handler. */
static void on_timer(int number)
{
  (void)number;
  char task[128];
  int error = errno;
  if (lur_busy(spec_watch.runtime, task, sizeof task) < HELD_SECONDS) {
    set_timer(HELD_SECONDS);
  } else {
    tell(spec_watch.text);
    tell(task);
    tell(" holds the loop: it neither waits nor calls task.yield()\n");
    lur_kill_processes();
    _exit(1);
  }
  errno = error;
}

/* SIGRTMAX is the command's own. */
static bool make_timer(void)
{
  if (spec_watch.has_timer) return true;
  struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMAX - 1};
  sigemptyset(&action.sa_mask);
  spec_watch.has_timer = sigaction(SIGRTMAX - 1, &action, NULL) == 0 &&
                         timer_create(CLOCK_MONOTONIC, &event, &spec_watch.timer) == 0;
  return spec_watch.has_timer;
}

static int watch(lua_State *L)
{
  double seconds = luaL_optnumber(L, 1, 0);
  const char *text = luaL_optstring(L, 2, "");
  if (!make_timer()) return 0;
  set_timer(0);
  if (!(seconds > 0 && seconds < 1e9)) return 0;
  snprintf(spec_watch.text, sizeof spec_watch.text, "%s", text);
  set_timer(seconds);
  return 0;
}

static int keep_watch(lua_State *L)
{
  lua_pushcfunction(L, watch);
  lua_setfield(L, LUA_REGISTRYINDEX, "lurcher.watch_hung");
  return 0;
}

void hung_spec_prepare(lur_runtime *rt)
{
  spec_watch.runtime = rt;
  lua_State *L = lur_lua(rt);
  if (lua_cpcall(L, keep_watch, NULL) != 0) lua_pop(L, 1); /* no memory: without the watch, then */
}
