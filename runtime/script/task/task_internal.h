/* What one runtime consists of: the structs behind lurcher.h and the scheduler. Only for the files that are
 * the scheduler (task.c, scope.c, runtime.c, …); bindings use task.h. */
#ifndef LURCHER_SCRIPT_STATE_H
#define LURCHER_SCRIPT_STATE_H

#include "core/error.h"
#include "core/loop/loop.h"
#include "core/random.h"
#include "lurcher.h"
#include "script/task/task.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct scope scope;
typedef struct cleanup cleanup;

typedef enum { TASK_RUNNING, TASK_DONE, TASK_FAILED, TASK_CANCELED } task_status;

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
  uint32_t anchor;       /* its place in runtime->slots */
  uint32_t id;
  int arguments; /* values on L's stack to resume it with */
  int result_count;
  int line; /* it was spawned there */
  unsigned short shield;
  unsigned char status;
  bool started : 1;
  bool cancelled : 1;
  bool forced : 1; /* waits raise although it is shielded: clean-up took too long, or the runtime must end */
  bool exits : 1;  /* it called os.exit: waits raise, until its clean-up begins */
  bool interrupted : 1; /* its wait was given up; the waiting function does not know yet */
  bool soft : 1;        /* it waits in a function that returns false when interrupted, instead of raising */
  bool refused : 1;     /* it tried to wait where it cannot be suspended */
  bool isolated : 1;    /* its failure does not cancel its scope; only those who join it see it */
  bool body : 1;        /* runs the function given to task.scope, for the task that waits for the scope */
  bool has_locals : 1;  /* its userdata's environment is a table of its own */
  bool has_cleanup : 1; /* locals say what to do at its end */
  bool in_cleanup : 1;
  bool virtual : 1;   /* it belongs to a virtual run, and lives by the virtual clock */
  bool is_server : 1; /* uses the virtual clock while a virtual run is on, whoever spawned it */
  char source[41];    /* it was spawned there: the tail of the chunk's name */
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
  bool cancelled;
  bool settled; /* the outcome is known: failures no longer count */
  bool timed_out;

  /* Scripts only: */
  list_link script; /* in runtime->scripts */
  lur_task *main;
  int main_ref;
  lur_done_fn done;
  void *ud;
  bool is_script, host_cancelled;
  char *why;     /* the host's reason */
  char *failure; /* a report that replaces that of `failed`: deadlock */
};

typedef struct {
  const char *name;
  bool owned;
  int value;
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
  linked_list scripts; /* that have not ended, the last started first */
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
  int anchors_ref, make_blocking_ref, cleanup_ref;
  counter counters[MAX_COUNTERS];
  int counter_count;
  lua_State *exiting; /* calls os.exit */
  atomic_bool interrupted, draining;
  bool running, closing, gone;
  timer close_timer, force_timer;
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

/* Every wait must raise now. */
static inline bool task_must_stop(const lur_task *t)
{
  return t->forced || t->exits || (t->cancelled && !t->shield);
}

/* The clock that its waits are timed by. */
static inline loop_clock *clock_of(const lur_task *t)
{
  loop *l = &t->runtime->loop;
  return t->virtual || (t->is_server && l->run.on) ? &l->virtual : &l->real;
}

static inline bool task_ended(const lur_task *t) { return t->scope == NULL; }

/* ---- scheduler.c ---- */

extern const operation_class task_scope_wait;

/* Opens what the scheduler keeps in the Lua state. Can raise. */
void task_open(lua_State *L);

typedef enum { TASK_ISOLATED = 1, TASK_BODY = 2, TASK_VIRTUAL = 4, TASK_SERVER = 8 } task_flags;

/* Pops a function and its arguments, pushes the handle of a new task that will run it as a child of `s`. Can
 * raise. */
lur_task *task_spawn(lua_State *L, scope *s, int arguments, unsigned flags);

/* Queues a task that waits for nothing to be resumed; `class` names why. */
void task_queue(lur_task *t, const operation_class *class);

/* ---- cancel.c ---- */

/* The error object that every wait of a cancelled task raises. Can raise (memory). */
void task_push_cancellation(lua_State *L, lur_task *t);
int task_raise_canceled(lua_State *L, lur_task *t);

/* Cancels one task, and with it the scope it waits for. `why` (may be NULL) is copied. */
void task_cancel(lur_task *t, const char *why);

/* Every wait of it raises from now on, shielded or not. */
void task_force(lur_task *t);

/* Raises the cancellation of `t` if it must stop. */
void task_checkpoint(lua_State *L, lur_task *t);

/* What the running task has begun to wait for cannot be waited for: a coroutine around it cannot be
 * suspended. It is given up, and the waiting function raises. */
void task_refuse(lur_task *t);

/* Pushes the value that every wait yields. */
void task_push_wait_tag(lua_State *L);

/* loop.on_ready: resumes the operation's owner. */
void task_on_ready(operation *op, void *user);

/* The running task, which is about to wait for `name`; raises when it cannot be suspended here. */
lur_task *task_about_to_park(lua_State *L, const char *name);

/* Parks the running task for its own `op`, whose class is given, even if it is cancelled. As task_wait, only
 * for `return`. */
int task_park(lua_State *L, lur_task *t, const operation_class *class, task_results results, bool holds);

/* The same, but it goes on after those that are ready now. */
int task_give_way(lua_State *L, lur_task *t, const operation_class *class, task_results results);

/* Ends a task's wait for its own `op`. */
static inline void task_wake(lur_task *t) { operation_complete(&t->op); }

/* The running task; raises when there is none. */
lur_task *task_current(lua_State *L);

/* Pushes the handle of a live task. */
void task_push(lua_State *L, lur_task *t);

/* Pushes a task's table of locals; `t`'s userdata is at `index`. Makes it at first. */
void task_push_locals(lua_State *L, int index, lur_task *t);

/* Starts or ends (nested) the running of deferred functions: shielded, but for 5 seconds at most. False: no
 * memory. */
bool task_begin_cleanup(lur_task *t);
void task_end_cleanup(lur_task *t);

/* Ends it at whatever depth. */
void task_drop_cleanup(lur_task *t);

/* ---- task.c, task_scopes.c, task_host.c, task_clock.c: lurcher.native.task ---- */

extern const luaL_Reg task_scope_functions[], task_scope_blocking[], task_host_functions[],
    task_clock_functions[];

/* Registers the scopes' metatable. Can raise. */
void task_open_scopes(lua_State *L);

/* The task whose handle is argument `index`; raises when it is something else. */
lur_task *task_check(lua_State *L, int index);

/* As task_about_to_park, but raises in a cancelled task. */
lur_task *task_about_to_wait(lua_State *L, const char *name);

/* Results of a wait that has none. */
int task_no_results(lua_State *L, operation *op);

/* ---- scope.c ---- */

scope *scope_new(lur_runtime *rt); /* one reference; NULL: no memory */
void scope_unref(scope *s);
void scope_cancel(scope *s, const char *why);
void scope_add(scope *s, lur_task *t);
/* A child has ended; its handle is still anchored. */
void scope_child_ended(scope *s, lur_task *t);

/* ---- runtime.c ---- */

/* The last child of a script's scope has ended. */
void runtime_script_ended(scope *s);
/* A task has ended and is off all lists. */
void runtime_task_ended(lur_runtime *rt);
/* Cancels every script. */
void runtime_cancel_all(lur_runtime *rt, const char *why);
/* The same, and limits the time that their clean-up may take. */
void runtime_interrupt(lur_runtime *rt, const char *why);

/* ---- report.c ---- */

/* The first line of user code on the stack of `L`, as "script.lua:12"; "" when there is none. */
void report_position(lua_State *L, char *text, size_t size);

/* Notes where an error object came from, for the report, should it end the running task: the entry on top of
 * the stack (popped) is a text or a failed task's handle; the error is below it (kept). Can raise. */
void report_note_cause(lua_State *L, lur_task *t);

/* Pushes the text of a failed task's error and the Lua lines of every task involved; its userdata is at
 * `index`. Can raise. */
void report_push(lua_State *L, int index);

/* Appends a traceback of `L` from `level` on, without the runtime's own lines. */
void report_push_traceback(lua_State *L, lua_State *of, int level);

/* `heading`, and a line for every waiting task whose id is above `after`: for what, and where. The caller
 * frees it; NULL: no memory. */
char *report_waiting(lur_runtime *rt, const char *heading, uint32_t after, bool daemons);

#endif
