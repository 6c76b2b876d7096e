#include "core/process/process_registry.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pid_t *children, owner;
static size_t count, capacity;

static void signal_all(int number)
{
  for (size_t i = 0; i < count; i++) kill(-children[i], number);
}

/* Takes out those that have ended; nobody else waits for them any more. */
static void reap(void)
{
  for (size_t i = count; i-- > 0;) {
    if (waitpid(children[i], NULL, WNOHANG) != 0) children[i] = children[--count];
  }
}

static void end_all(void)
{
  enum { STEPS = 100, STEP_NANOSECONDS = 10 * 1000 * 1000 };
  const struct timespec step = {.tv_nsec = STEP_NANOSECONDS};
  if (getpid() != owner) return; /* a fork of the host's */
  pthread_mutex_lock(&mutex);
  signal_all(SIGTERM);
  reap();
  for (int i = 0; count && i < STEPS; i++) {
    nanosleep(&step, NULL);
    reap();
  }
  signal_all(SIGKILL);
  pthread_mutex_unlock(&mutex);
}

static bool reserve(void)
{
  if (count < capacity) return true;
  size_t larger = capacity ? 2 * capacity : 16;
  pid_t *more = realloc(children, larger * sizeof *more);
  if (!more) return false;
  children = more;
  capacity = larger;
  return true;
}

void process_registry_add(pid_t child)
{
  pthread_mutex_lock(&mutex);
  if (!owner && atexit(end_all) == 0) owner = getpid();
  if (reserve()) children[count++] = child; /* without memory it is left to itself */
  pthread_mutex_unlock(&mutex);
}

void process_registry_remove(pid_t child)
{
  pthread_mutex_lock(&mutex);
  for (size_t i = 0; i < count; i++) {
    if (children[i] == child) children[i--] = children[--count];
  }
  pthread_mutex_unlock(&mutex);
}
