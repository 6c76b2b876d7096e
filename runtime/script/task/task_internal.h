/* What one runtime consists of: the structs behind lurcher.h and the scheduler. Only for script/task,
 * script/host and script/runtime; bindings use task.h. */
#ifndef LURCHER_SCRIPT_TASK_INTERNAL_H
#define LURCHER_SCRIPT_TASK_INTERNAL_H

#include "core/error.h"
#include "core/loop/loop.h"
#include "core/permit.h"
#include "core/random.h"
#include "lurcher.h"
#include "script/task/task.h"
#include "script/task/task_limits.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct scope scope;
typedef struct cleanup cleanup;

typedef enum { TASK_RUNNING, TASK_DONE, TASK_FAILED, TASK_CANCELED } task_status;

/* Which waits of a task raise the cancellation; a higher level includes the lower ones. */
typedef enum {
  STOP_NONE,
  STOP_CANCEL, /* those outside a shield */
  STOP_EXIT,   /* all, until its clean-up begins: it called os.exit, and nothing behind that may run */
  STOP_FORCE,  /* all: clean-up took too long, or the runtime must end */
} task_stop;

/* Whether its wait was given up; the waiting function does not know yet. */
typedef enum {
  WAIT_GOES_ON,
  WAIT_CANCELED,
  WAIT_REFUSED, /* it tried to wait where it cannot be suspended */
} task_given_up;

/* The clock that its waits are timed by. Tasks that it spawns have the same. */
typedef enum {
  CLOCK_REAL,
  CLOCK_VIRTUAL,    /* it belongs to a virtual run */
  CLOCK_OF_SERVERS, /* virtual while a virtual run is on, whoever spawned it, else real */
} task_time;

/* A coroutine that may wait. It is the userdata that scripts see as a handle; while it runs, the runtime's
 * table of anchors keeps it and its coroutine. 100,000 of them are normal, so every byte counts. */
struct lur_task {
  operation
      op; /* for all that the runtime itself lets it wait for: its start, sleep, park, join, a scope's end */
  timer timer; /* for sleep, and for the time limit of a scope's end */
  lur_runtime *runtime;
  lua_State *L;        /* its coroutine; NULL once it has ended */
  lua_State *waits_in; /* the coroutine that waits: L, or one nested in it */
  operation *waiting;  /* what it waits for; NULL: it runs, or is about to */
  task_results results;
  const char *waits_for; /* for reports, when more can be said than the operation's name; lives on the waiting
                            stack */
  void *target;          /* the task it joins or the scope it waits for */
  scope *scope;          /* it is a child of; NULL once it has ended */
  list_link sibling;     /* in scope->children */
  linked_list joiners;   /* tasks that wait for its end */
  list_link joiner;      /* in the list of the task it joins */
  char *why;             /* the reason of the cancellation, if one was given */
  cleanup *cleanup;      /* while deferred functions run */
  scope *script;         /* it belongs to, counted; NULL: to none */
  uint32_t anchor;       /* its place in runtime->slots */
  uint32_t id;
  int arguments; /* values on L's stack to resume it with */
  int result_count;
  int line; /* it was spawned there; of a main task: minus the last line of the script; 0: by no Lua code */
  unsigned short shield;
  unsigned char status;
  unsigned char stop;     /* a task_stop */
  unsigned char given_up; /* a task_given_up */
  unsigned char clock;    /* a task_time */
  unsigned char ending;   /* a task_ending */
  bool started : 1;
  bool soft : 1;        /* it waits in a function that returns false when cancelled, instead of raising */
  bool isolated : 1;    /* its failure does not cancel its scope; only those who join it see it */
  bool body : 1;        /* runs the function given to task.scope, for the task that waits for the scope */
  bool has_locals : 1;  /* its userdata's environment is a table of its own */
  bool has_cleanup : 1; /* locals say what to do at its end */
  bool in_cleanup : 1;
  bool forced : 1;        /* its clean-up was ended, after it had been cancelled */
  bool out_of_memory : 1; /* it failed for want of memory; its error may not have been kept */
  bool raised : 1;        /* what ended it was raised, not returned */
  bool joined : 1;        /* another task waited for its end */
  char source[27];        /* it was spawned there, or it runs this script: the tail of the chunk's name. With
                             three bytes more the allocator would take 64 more for each task */
};

/* A group of tasks that end together. Counted: one reference per child and one for the Lua object. */
struct scope {
  lur_runtime *runtime;
  linked_list children;
  unsigned count, references;
  lur_task *owner;       /* waits until it is empty, or NULL */
  lur_task *room_waiter; /* waits until at most `room` children are left, or NULL */
  unsigned room;
  lur_task *failed; /* the first child that failed; kept in the registry by failed_ref */
  int failed_ref;
  bool out_of_memory; /* which task failed could not be kept */
  bool cancelled;
  bool settled; /* the outcome is known: failures no longer count */
  bool timed_out;

  /* Scripts only: */
  list_link script; /* in runtime->scripts */
  lur_task *main;
  int main_ref, chunk_ref; /* its task and its main function, in the registry */
  lur_done_fn done;
  void *ud;
  lur_result_fn result; /* in place of `done` */
  bool is_script, host_cancelled;
  char *why;          /* the host's reason */
  char *failure;      /* a report that replaces that of `failed`: a deadlock, a limit */
  const char *limit;  /* the name of that */
  double max_seconds; /* for this script; 0: no limit */
  timer time_limit;   /* until they are over */
};

typedef struct {
  const char *name;
  bool owned;
  int value, collect_at;
} counter;

enum { MAX_COUNTERS = 32 };

/* What limits all scripts of a runtime together; see script/runtime/run_report.h. */
typedef struct {
  timer timer;    /* until max_seconds are over; then, until the scripts must have ended */
  bool started;   /* a script was */
  bool used_up;   /* something was refused or stopped for it */
  uint64_t begin; /* when the first script was started */
  uint64_t end;   /* when it was used up */
  error reason;
  uint64_t queued; /* requests that waited then */
  char *waiting;   /* what tasks waited for then */
  char *report;
} run_report;

struct lur_runtime {
  loop loop;
  lua_State *L;
  lur_options options;
  lur_task *current;
  uint64_t resumed_at, stopped_at; /* the task that ran last */
  uint64_t starved, starved_at; /* for how long this thread waited for a processor, and when that was read */
  atomic_uintptr_t thread;      /* whose runtime it is; 0: nobody has used it */
  struct mailbox *mailbox;      /* of what other threads send */
  linked_list idle_calls, kept_calls, running_calls; /* of the host's functions: script/host/host_call.c */
  int kept_count;
  int write_argument_ref;
  lua_CFunction lua_gsub;       /* Lua's own string.gsub; NULL: steps are counted */
  scope *reported;              /* the script whose end is being told */
  linked_list scripts;          /* that have not ended, the last started first */
  bool had_script, had_scripts; /* one was started, and more than one */
  bool cut_cleanup;             /* of one of them: it took too long */
  bool hurried;                 /* they were interrupted, and the time for that is over */
  scope *daemons;
  lur_task **slots; /* all live tasks; free places are NULL and linked through free_slots */
  uint32_t *free_slots;
  uint32_t slot_count, slot_capacity, free_count;
  uint32_t tasks, last_id;
  uint32_t ended;                       /* tasks since the last full collection */
  uint32_t resumed;                     /* tasks, to look at the heap now and then */
  random_source random, virtual_random; /* for tasks of each clock */
  int pause;                            /* the collector's, as it was set last */
  uint32_t immediate;                   /* waits in a row that ended at once, without giving way to others */
  int anchors_ref, make_blocking_ref, cleanup_ref, unwound_ref;
  counter counters[MAX_COUNTERS];
  int counter_count;
  lua_State *exiting; /* calls os.exit */
  atomic_bool interrupted, draining;
  char *first_blocks; /* of the Lua state: see new_state */
  size_t first_used;
  bool opening; /* lua_newstate runs */
  bool refused; /* Lua was given no memory, at least once */
  bool running, closing, gone;
  void (*on_script_ended)(scope *s);       /* the last child of a script's scope has ended */
  void (*on_task_ended)(lur_runtime *rt);  /* a task has ended and is off all lists */
  void (*on_interrupted)(lur_runtime *rt); /* lur_interrupt was called, and a task computes */
  limits limits;
  permit permit; /* all-zero: everything is allowed */
  bool asking;   /* options.permit runs */
  timer close_timer, force_timer, run_timer;
  deferred close_deferred; /* in the timer's place when there is no memory for it */
  run_report report;
  lur_closed_fn closed;
  void *closed_ud;
  char message[512]; /* lur_error */
};

/* The runtime of a state: O(1), no Lua stack used. */
static inline lur_runtime *runtime_of(lua_State *L)
{
  void *runtime;
  lua_getallocf(L, &runtime);
  return runtime;
}

/* The running task; raises when there is none. */
static inline lur_task *task_current(lua_State *L)
{
  lur_task *t = runtime_of(L)->current;
  if (!t) luaL_error(L, "only a task can do this, and no task is running");
  return t;
}

/* Lua's libraries, as lur_options.libraries names them. */
enum {
  ALL_LIBRARIES =
      LUR_LIB_IO | LUR_LIB_OS | LUR_LIB_FFI | LUR_LIB_DEBUG | LUR_LIB_JIT | LUR_LIB_PACKAGE | LUR_LIB_BYTECODE
};

/* Whether scripts get less than all of them. */
static inline bool task_is_confined(const lur_runtime *rt) { return rt->options.libraries != ALL_LIBRARIES; }

/* Every wait must raise now. */
static inline bool task_must_stop(const lur_task *t)
{
  return t->stop > STOP_CANCEL || (t->stop == STOP_CANCEL && !t->shield);
}

/* The clock that its waits are timed by. */
static inline loop_clock *clock_of(const lur_task *t)
{
  loop *l = &t->runtime->loop;
  return t->clock == CLOCK_VIRTUAL || (t->clock == CLOCK_OF_SERVERS && l->run.on) ? &l->virtual : &l->real;
}

static inline bool task_ended(const lur_task *t) { return t->scope == NULL; }

#endif
