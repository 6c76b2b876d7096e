#include "isolation_parent.h"

#include "complaint.h"
#include "options.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;
static volatile sig_atomic_t child_continued;

/* ---- its end ---- */

static void die_by(int number)
{
  sigset_t all;
  setrlimit(RLIMIT_CORE, &(struct rlimit){0}); /* the core would be the wrong one's */
  signal(number, SIG_DFL);
  raise(number);
  sigfillset(&all);
  sigprocmask(SIG_UNBLOCK, &all, NULL);
  _exit(128 + number);
}

static bool is_crash(int number)
{
  return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE || number == SIGABRT ||
         number == SIGTRAP;
}

static void end_as_killed(int number)
{
  if (number == SIGXCPU) {
    complain("--isolate: the script used up the time of the processor that the kernel gives it: the limit "
             "'cpu' was reached");
    _exit(STATUS_BUDGET);
  }
  if (number == SIGSYS) {
    complain("--isolate: the script's process made a call of the system that is forbidden to it, and the "
             "kernel ended it");
    _exit(STATUS_FAILED);
  }
  if (is_crash(number)) complain("--isolate: the script's process crashed (SIG%s)", sigabbrev_np(number));
  if (number == SIGKILL)
    complain("--isolate: the script's process was killed, by someone or by the kernel for want of memory");
  die_by(number);
}

/* ---- stopping and going on ---- */

/* A shell that continues the job continues its whole group; kill(1) perhaps only this process. */
static void on_continue(int number)
{
  int error = errno;
  child_continued = true;
  kill(child, number);
  errno = error;
}

/* The shell waits for this process. SIGTSTP is blocked, so it waits, too, and is taken back by a SIGCONT that
 * comes before the mask is lifted; `child_continued` tells of one that came before it was raised. */
static void stop_too(void)
{
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  raise(SIGTSTP);
  if (child_continued)
    sigtimedwait(&stop, NULL, &(struct timespec){0});
  else
    sigprocmask(SIG_UNBLOCK, &stop, NULL);
  sigprocmask(SIG_BLOCK, &stop, NULL);
}

static bool is_of_terminal(int number) { return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU; }

static void look_at_child(void)
{
  int status;
  child_continued = false;
  pid_t found = waitpid(child, &status, WNOHANG | WUNTRACED);
  if (found < 0 && errno != EINTR) _exit(STATUS_FAILED);
  if (found <= 0) return;
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) end_as_killed(WTERMSIG(status));
  if (WIFSTOPPED(status) && is_of_terminal(WSTOPSIG(status))) stop_too();
}

/* ---- */

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP};

static bool is_passed_on(int number)
{
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
    if (passed_on[i] == number) return true;
  return false;
}

/* Blocked and fetched one by one, so that none comes between two calls. */
static void waited_for(sigset_t *set)
{
  sigemptyset(set);
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) sigaddset(set, passed_on[i]);
  sigaddset(set, SIGCHLD);
  sigaddset(set, SIGTTIN); /* the child's affair: it reads the terminal, and stops */
  sigaddset(set, SIGTTOU);
}

/* By sigqueue the child can tell it from one that its whole group was sent. */
static void pass_on(int number)
{
  if (sigqueue(child, number, (union sigval){0}) != 0) kill(child, number);
}

_Noreturn static void guard(const sigset_t *set)
{
  struct sigaction action = {.sa_handler = on_continue, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  sigaction(SIGCONT, &action, NULL);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the child may not look into this process */
  for (;;) {
    look_at_child();
    int number = sigwaitinfo(set, NULL);
    if (is_passed_on(number)) pass_on(number);
  }
}

static void begin_child(pid_t parent, const sigset_t *before)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != parent) _exit(STATUS_FAILED); /* it was quicker */
  sigprocmask(SIG_SETMASK, before, NULL);
}

void isolation_fork(void)
{
  sigset_t set, before;
  pid_t parent = getpid();
  fflush(NULL); /* else both would write it */
  signal(SIGCHLD, SIG_DFL);
  waited_for(&set);
  sigprocmask(SIG_BLOCK, &set, &before);
  child = fork();
  if (child > 0) guard(&set);
  if (child < 0) {
    complain("--isolate: no child process can be made: %s", strerror(errno));
    _exit(STATUS_FAILED);
  }
  begin_child(parent, &before);
}
