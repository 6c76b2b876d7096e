#include "core/process/process_registry.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Places are taken and left under the mutex, and never freed: a signal handler reads them as they are. */
enum { PLACES = 64 };

typedef struct block block;

struct block {
  _Atomic(pid_t) children[PLACES]; /* 0: free */
  _Atomic(block *) next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static block first;
static pid_t owner;

/* Calls `visit` for each child, and returns for how many it was true. */
static size_t each(bool (*visit)(_Atomic(pid_t) *child, int number), int number)
{
  size_t count = 0;
  for (block *b = &first; b; b = atomic_load(&b->next)) {
    for (int i = 0; i < PLACES; i++)
      if (atomic_load(&b->children[i])) count += visit(&b->children[i], number);
  }
  return count;
}

static bool send_signal(_Atomic(pid_t) *child, int number)
{
  kill(-atomic_load(child), number);
  return true;
}

/* Takes out one that has ended; nobody else waits for it any more. */
static bool still_runs(_Atomic(pid_t) *child, int number)
{
  (void)number;
  if (waitpid(atomic_load(child), NULL, WNOHANG) == 0) return true;
  atomic_store(child, 0);
  return false;
}

static void end_all(void)
{
  enum { STEPS = 100, STEP_NANOSECONDS = 10 * 1000 * 1000 };
  const struct timespec step = {.tv_nsec = STEP_NANOSECONDS};
  if (getpid() != owner) return; /* a fork of the host's */
  pthread_mutex_lock(&mutex);
  each(send_signal, SIGTERM);
  for (int i = 0; each(still_runs, 0) && i < STEPS; i++) nanosleep(&step, NULL);
  each(send_signal, SIGKILL);
  pthread_mutex_unlock(&mutex);
}

void process_registry_kill(void)
{
  if (getpid() == owner) each(send_signal, SIGKILL);
}

static _Atomic(pid_t) *place_in(block *b)
{
  for (int i = 0; i < PLACES; i++)
    if (!atomic_load(&b->children[i])) return &b->children[i];
  return NULL;
}

/* NULL: no memory for more. */
static _Atomic(pid_t) *free_place(void)
{
  block *b = &first, *next;
  _Atomic(pid_t) *place;
  while (!(place = place_in(b)) && (next = atomic_load(&b->next))) b = next;
  if (place || !(next = calloc(1, sizeof *next))) return place;
  atomic_store(&b->next, next);
  return &next->children[0];
}

void process_registry_add(pid_t child)
{
  pthread_mutex_lock(&mutex);
  if (!owner && atexit(end_all) == 0) owner = getpid();
  _Atomic(pid_t) *place = free_place();
  if (place) atomic_store(place, child); /* without memory it is left to itself */
  pthread_mutex_unlock(&mutex);
}

void process_registry_remove(pid_t child)
{
  pthread_mutex_lock(&mutex);
  for (block *b = &first; b; b = atomic_load(&b->next)) {
    for (int i = 0; i < PLACES; i++)
      if (atomic_load(&b->children[i]) == child) atomic_store(&b->children[i], 0);
  }
  pthread_mutex_unlock(&mutex);
}
