/* A host for test programs: gathers what its runtime tells it. */
#ifndef LURCHER_SPEC_HOST_H
#define LURCHER_SPEC_HOST_H

#include "lurcher.h"
#include "support/unit.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

typedef struct {
  lur_runtime *runtime;
  lur_task *task;    /* the one started last */
  bool in_start;     /* lur_start has not returned yet */
  int started, done; /* scripts */
  int closed;
  lur_status status; /* of the script that ended last */
  char report[2048], output[8192];
  size_t output_length;
  void (*on_line)(void *host); /* called for each line printed, when set */
  void (*after_done)(void *host);
} host;

static void host_print(const char *text, size_t length, void *ud)
{
  host *h = ud;
  size_t room = sizeof h->output - 1 - h->output_length;
  memcpy(h->output + h->output_length, text, length < room ? length : room);
  h->output_length += length < room ? length : room;
  h->output[h->output_length] = 0;
  if (h->on_line) h->on_line(h);
}

static void host_done(lur_task *task, lur_status status, const char *report, void *ud)
{
  host *h = ud;
  check(!h->in_start);
  check(task != NULL);
  h->done++;
  h->status = status;
  snprintf(h->report, sizeof h->report, "%s", report ? report : "");
  if (h->after_done) h->after_done(h);
}

static inline void host_closed(void *ud)
{
  host *h = ud;
  h->closed++;
  h->runtime = NULL;
}

/* Opens a runtime on `loop` (NULL: its own). */
static inline void host_open(host *h, uv_loop_t *loop)
{
  lur_options options;
  *h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.loop = loop;
  options.ud = h;
  options.print = host_print;
  if (!check(lur_open(&h->runtime, &options) == LUR_OK)) exit(1);
}

/* Starts a script with one argument (NULL: none). */
static inline lur_status host_start(host *h, const char *source, const char *argument)
{
  h->in_start = true;
  lur_status status = lur_start(h->runtime, "@script.lua", source, strlen(source), argument != NULL,
                                &argument, host_done, h, &h->task);
  h->in_start = false;
  if (status == LUR_OK) h->started++;
  return status;
}

static inline void host_close(host *h) { lur_close(h->runtime, host_closed, h); }

/* Own loop: runs one script to its end and closes the runtime. */
static inline void host_run(host *h, const char *source)
{
  host_open(h, NULL);
  if (host_start(h, source, NULL) == LUR_OK) check(lur_run(h->runtime) == LUR_OK);
  host_close(h);
  check(h->closed == 1);
  check(h->done == h->started);
}

static inline int open_descriptors(void)
{
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (directory && readdir(directory)) count++;
  if (directory) closedir(directory);
  return count;
}

#endif
