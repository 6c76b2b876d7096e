/* Calls of the host's functions by scripts: struct lur_call of lurcher.h, and how it ends.
 *
 *   the function returns           RUNNING -> IDLE
 *   it pends, and completes within RUNNING -> PENDED -> RETURNED -> IDLE
 *   it completes later             RUNNING -> PENDED -> WAITING -> MAILED -> ARRIVED -> IDLE
 *
 * A call that is cancelled goes the same way; only its task does not wait for it any more. When the runtime
 * is closed meanwhile, it is freed by the thread that completes it. */
#ifndef LURCHER_SCRIPT_HOST_CALL_H
#define LURCHER_SCRIPT_HOST_CALL_H

#include "core/loop/mailbox.h"
#include "script/task/task_internal.h"

typedef enum {
  CALL_IDLE,
  CALL_RUNNING,
  CALL_PENDED,
  CALL_WAITING,
  CALL_RETURNED,
  CALL_MAILED,
  CALL_ARRIVED
} call_state;

typedef enum { CALL_GIVES, CALL_FAILS, CALL_RAISES } call_outcome;

/* One result. */
typedef struct {
  enum { RESULT_NIL, RESULT_BOOLEAN, RESULT_NUMBER, RESULT_STRING, RESULT_JSON } type;
  double number; /* or the boolean */
  char *text;    /* owned, ended by a zero */
  size_t length;
} host_result;

/* A text that the host was given, for as long as its function runs. */
typedef struct lent_text {
  struct lent_text *next;
  char bytes[];
} lent_text;

enum { FEW_RESULTS = 3, MAX_RESULTS = 200 };

struct lur_call {
  operation op; /* the task's wait */
  mail mail;
  mailbox *mailbox; /* counted, once it is pended */
  lur_runtime *runtime;
  lua_State *L; /* while the function runs, with the arguments on its stack */
  lur_task *task;
  list_link link;
  const void *frame; /* on the C stack, while in the list of running ones */
  atomic_int state;
  atomic_bool canceled;
  bool pended;
  void (*cancel)(lur_call *call, void *ud);
  void (*release)(void *ud);
  void *ud;
  lent_text *lent;
  int argument_count;
  int result_count, result_capacity;
  call_outcome outcome;
  host_result *results, few[FEW_RESULTS];
};

/* The function that scripts call: its upvalue is a host_function. */
int host_call_start(lua_State *L);

typedef struct {
  lur_host_fn fn;
  void *ud;
} host_function;

/* The runtime has no tasks any more: frees what is left of calls, but for those that are out. */
void host_calls_close(lur_runtime *rt);

#endif
