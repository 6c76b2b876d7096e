#include "signals.h"

#include "options.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double STOP_SECONDS = 5;

/* Writes to a broken pipe before a script that does not notice its cancellation, because it never waits, is
 * ended. Clean-up code that prints a little is left alone. */
enum { MAX_BROKEN_WRITES = 100 };

static _Atomic(lur_runtime *) runtime;
static volatile sig_atomic_t received, stopping, broken_writes;
static volatile sig_atomic_t in_grace;
static bool timed; /* the alarm was set for --max-time, and counts until a signal sets it anew */
static double grace;
static struct timespec first_at; /* when the first signal came */
static timer_t alarm_timer;
static bool has_timer;

/* Not SIGALRM: that stays what whoever started the process made of it. */
static int alarm_number(void) { return SIGRTMAX; }

static void set_alarm(double seconds)
{
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)seconds}};
  when.it_value.tv_nsec = (long)((seconds - (double)when.it_value.tv_sec) * 1e9);
  if (has_timer) timer_settime(alarm_timer, 0, &when, NULL);
}

void signals_stop(void)
{
  stopping = true;
  lur_runtime *rt = atomic_load(&runtime);
  if (rt) lur_interrupt(rt);
  set_alarm(STOP_SECONDS);
}

static void die_by_sigpipe(void)
{
  lur_kill_processes();
  signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE); /* in the handler of SIGPIPE: pending until that returns */
}

/* ---- handlers: only what is safe in one ---- */

static void say(const char *text)
{
  ssize_t written = write(STDERR_FILENO, text, strlen(text));
  (void)written;
}

/* Names the task that holds the loop, if it is one for whose sake the process has to be ended by force: it
 * has done so for more than a second, or since the first signal came. */
static void name_busy_task(void)
{
  char task[128];
  struct timespec now;
  const lur_runtime *rt = atomic_load(&runtime);
  double seconds = rt ? lur_busy(rt, task, sizeof task) : 0;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  double since = (double)(now.tv_sec - first_at.tv_sec) + (double)(now.tv_nsec - first_at.tv_nsec) / 1e9;
  if (seconds <= 1 && !(received && seconds > since)) return;
  say("lurcher: ");
  say(task);
  say(" holds the loop: it neither waits nor calls task.yield()\n");
}

static pid_t parent_outside;
static volatile sig_atomic_t direct[NSIG], relayed[NSIG];

void signals_come_from(pid_t parent) { parent_outside = parent; }

/* Ctrl-C reaches the whole group, so the parent, too, which passes it on; kill(1) only one of them. What was
 * meant to come is the larger of the two numbers. */
static bool is_twice(int number, const siginfo_t *from)
{
  if (!parent_outside) return false;
  int before = direct[number] > relayed[number] ? direct[number] : relayed[number];
  bool is_passed_on = from->si_code == SI_QUEUE && from->si_pid == parent_outside;
  volatile sig_atomic_t *count = is_passed_on ? &relayed[number] : &direct[number];
  return ++*count <= before;
}

static void on_signal(int number, siginfo_t *from, void *context)
{
  (void)context;
  if (is_twice(number, from)) return;
  int error = errno;
  if (received) {
    name_busy_task();
    lur_kill_processes();
    _exit(128 + number);
  }
  received = number;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &first_at);
  lur_runtime *rt = atomic_load(&runtime);
  if (number == SIGTERM && grace > 0 && rt) {
    in_grace = true;
    lur_drain(rt);
    set_alarm(grace);
  } else {
    signals_stop();
  }
  errno = error;
}

static void on_alarm(int number)
{
  (void)number;
  int error = errno;
  if (!in_grace) {
    if (!broken_writes) {
      say("lurcher: the script did not end within 5 seconds of being cancelled\n");
      name_busy_task();
    }
    if (!received && broken_writes) die_by_sigpipe();
    lur_kill_processes();
    _exit(received ? 128 + received : timed && !stopping ? STATUS_BUDGET : STATUS_FAILED);
  }
  in_grace = false;
  signals_stop();
  errno = error;
}

static bool output_is_broken(void)
{
  struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
  return poll(&output, 1, 0) > 0 && output.revents & POLLERR;
}

/* Sockets raise it too; those writes fail, and that is enough. */
static void on_broken_pipe(int number)
{
  (void)number;
  int error = errno;
  if (output_is_broken()) {
    if (++broken_writes == 1)
      signals_stop();
    else if (broken_writes > MAX_BROKEN_WRITES)
      die_by_sigpipe();
  }
  errno = error;
}

/* A write beyond the limit of a file's size fails then, and that is enough. (Were it ignored, programs that
 * the script starts would ignore it, too.) */
static void on_large_file(int number) { (void)number; }

/* ---- the rest ---- */

static void handle_with(int number, struct sigaction action)
{
  action.sa_flags |= SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaddset(&action.sa_mask, alarm_number());
  sigaction(number, &action, NULL);
}

static void handle(int number, void (*handler)(int))
{
  handle_with(number, (struct sigaction){.sa_handler = handler});
}

/* What a shell starts in the background, or nohup, ignores a signal that is meant for others. */
static void end_by(int number)
{
  struct sigaction before;
  if (sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_IGN) return;
  handle_with(number, (struct sigaction){.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO});
}

void signals_watch(lur_runtime *rt, double grace_seconds, double max_time)
{
  grace = grace_seconds;
  atomic_store(&runtime, rt);
  struct sigevent alarm = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = alarm_number()};
  has_timer = timer_create(CLOCK_MONOTONIC, &alarm, &alarm_timer) == 0;
  handle(alarm_number(), on_alarm);
  handle(SIGPIPE, on_broken_pipe);
  handle(SIGXFSZ, on_large_file);
  end_by(SIGINT);
  end_by(SIGTERM);
  timed = max_time > 0;
  if (timed) set_alarm(max_time + STOP_SECONDS);
}

void signals_watch_hangup(void) { end_by(SIGHUP); }

void signals_forget(void) { atomic_store(&runtime, NULL); }

int signals_received(void) { return received; }

bool signals_stopping(void) { return stopping; }

void signals_end_by_broken_pipe(void)
{
  if (broken_writes) die_by_sigpipe();
}
