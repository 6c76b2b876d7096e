/* One runtime: lurcher.h, but for what has a file of its own. */
#ifndef LURCHER_SCRIPT_RUNTIME_H
#define LURCHER_SCRIPT_RUNTIME_H

#include "script/task/task_internal.h"

/* LuaJIT's stack has 65,500 places, and a script that passes `...` on needs as many again. */
enum { MAX_ARGUMENTS = 20000 };

/* A script to be started. */
typedef struct starting_script starting_script;
struct starting_script {
  lur_runtime *runtime;
  scope *scope;
  const char *chunkname, *source;
  size_t length;
  int argc;
  const char *const *argv;

  /* In place of argv: pushes the arguments above the chunk, which it may replace; their number. May raise a
   * text; `status` is what the start then returns. NULL: argv. */
  int (*prepare)(lua_State *L, starting_script *start);
  void *ud;
  lur_status status;
  double max_seconds; /* 0: no limit */

  lur_done_fn done;
  lur_result_fn result; /* in place of `done` */
  void *done_ud;
};

/* How much to copy of a struct of the host, whose size is `given`, of which `known` bytes are known here: no
 * part of a pointer. */
size_t runtime_known_size(size_t given, size_t known);

/* lur_start, once it is known that the thread is right. */
lur_status runtime_start(lur_runtime *rt, starting_script *start, lur_task **task);

/* Cancels every script, and limits the time that their clean-up may take. `why` may be NULL. */
void runtime_interrupt(lur_runtime *rt, const char *why);

#endif
