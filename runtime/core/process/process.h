/* Child processes and their pipes. Each has a process group of its own, so that what it started is signalled
 * with it, and inherits nothing but its standard streams: all other descriptors of this process are closed at
 * exec from the first child on.
 *
 * Everything here belongs to the loop's thread. */
#ifndef LURCHER_CORE_PROCESS_H
#define LURCHER_CORE_PROCESS_H

#include "core/byte_queue.h"
#include "core/error.h"
#include "core/list.h"
#include "core/loop/loop.h"

#include <stdint.h>

typedef struct process process;

enum { PROCESS_OUTPUT, PROCESS_ERRORS, PROCESS_STREAMS };

/* Strings and lists are the caller's, and needed during process_start only. */
typedef struct {
  char **arguments;             /* the command and what follows it, NULL at the end */
  const char *file;             /* what is run instead of the command; NULL: it is found by its name */
  char **environment;           /* "NAME=value", NULL at the end; NULL: this process's */
  const char *directory;        /* NULL: this process's */
  bool has_input;               /* else its standard input is empty */
  uint64_t timeout;             /* nanoseconds until it is stopped; 0: never */
  size_t kept[PROCESS_STREAMS]; /* bytes of each stream that are read ahead of the script */
} process_options;

/* Starts a command, found by PATH unless there is a "/" in its name. NULL with kind file when it cannot be
 * run. */
process *process_start(loop *l, const process_options *options, error *e);

/* Lets go of it: kills what still runs. It is freed once that is gone. */
void process_abandon(process *p);

/* What came from a stream and was not taken yet; whether nothing can follow it. */
byte_queue *process_stream(process *p, int stream);
bool process_stream_ended(const process *p, int stream);

/* Takes bytes off the front of a stream, which is read on if it had run full. */
void process_take(process *p, int stream, size_t length);

/* Queues a copy for standard input. False: memory ran out. What is closed takes nothing: see
 * process_input_error. */
bool process_write(process *p, const char *bytes, size_t length);
size_t process_unwritten(const process *p);

/* 0, or a libuv error: nobody reads. */
int process_input_error(const process *p);

/* Closes standard input behind what is queued. */
void process_close_input(process *p);

/* Whether it has ended; then its exit status, or the signal that ended it and status 0. */
bool process_ended(const process *p, int64_t *status, int *signal);
bool process_timed_out(const process *p);

/* Signals it and what it started. Nothing when it has ended. */
void process_signal(process *p, int signal);

/* SIGTERM, and SIGKILL one second later. */
void process_stop(process *p);

int process_id(const process *p);

/* Waits for the next change: bytes of a stream, its end, bytes written, the end of the process. */
typedef struct {
  operation op;
  process *process;
  list_link link;
} process_wait;

process_wait *process_wait_new(process *p); /* begun; NULL: memory ran out */
void process_wait_free(process_wait *w);

#endif
