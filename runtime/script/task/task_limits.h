/* What a host lets its scripts use: memory, time, tasks, depth (lur_options). A count hook, with the JIT off,
 * looks at them while Lua runs; what has reached a limit raises from then on wherever its own code runs.
 *
 * Three rules keep the runtime whole. Nothing is raised while the runtime's own Lua runs: the hook comes at
 * each instruction until code of the script does. The allocator refuses no small block: it lets the heap pass
 * the limit a little, and the hook collects garbage and ends the script if that does not help. Handlers given
 * to xpcall are not called for a limit. */
#ifndef LURCHER_SCRIPT_TASK_LIMITS_H
#define LURCHER_SCRIPT_TASK_LIMITS_H

#include "core/loop/timer.h"
#include "lurcher.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;

typedef enum {
  LIMIT_NONE,
  LIMIT_MEMORY,
  LIMIT_BURST,
  LIMIT_CPU,
  LIMIT_TASKS,
  LIMIT_DEPTH,
  LIMIT_TIME
} limit_kind;

/* Where a task is on its way out, once it has to end at once. */
typedef enum {
  ENDING_NONE,
  ENDING_CODE,    /* its code raises */
  ENDING_CLEANUP, /* its clean-up runs, and has one more burst */
  ENDING_ALL,     /* that is used up: clean-up raises, too */
} task_ending;

/* Functions of Lua's libraries that call back may be nested so deep: each takes some KiB of the C stack. */
enum { MAX_NESTED = 200 };

typedef struct {
  bool hooked;      /* the JIT is off, and the hook is set */
  bool every;       /* it comes at each instruction */
  bool pressed;     /* garbage has to be collected at the next instruction */
  bool over;        /* that did not help */
  bool outside;     /* code of a script that no task runs (a report asks an error for its text) must end */
  bool cpu_spent;   /* for good */
  size_t collected; /* memory in use after the last such collection */
  const struct scope *refused_to; /* the script that memory was refused to; NULL: it was to none */
  char *refused_at;               /* and where; NULL: not known */
  uint64_t burst, cpu;            /* nanoseconds; 0: no limit */
  uint64_t cpu_used;              /* by steps of tasks that have ended */
  uint64_t begin;                 /* the processor's time when this step began; 0: not read yet */
  uint64_t ended, ended_at;       /* the processor's time when the last step ended, and the loop's */
  uint64_t looked;                /* the coarse time of the last look at that */
  uint64_t cleanup_ends;          /* the coarse time at which the clean-up of ending scripts must be over */
  timer force;                    /* does that while nothing runs */
  size_t long_blocks;             /* bytes in blocks of at least LONG_BLOCK */
  size_t charged;                 /* steps in C since the last look */
  unsigned looks;                 /* to look at the depth now and then */
  unsigned nested;                /* calls of C functions that call back */
  uintptr_t frames[MAX_NESTED];   /* where each is on the C stack, the innermost last */
} limits;

/* Whether the options make sense. */
bool limits_are_valid(const lur_options *o);

/* Before the Lua state is made; after it was opened (false: it holds more memory than there may be). */
void limits_init(lur_runtime *rt);
bool limits_start(lur_runtime *rt);

/* Once libraries are open, before any Lua of ours runs. Can raise (memory). */
void limits_open(lua_State *L);

/* The heap is about to change. False: it may not grow so much. */
bool limits_allow(lur_runtime *rt, size_t old_size, size_t size);

/* A block has changed its size, and is or was a long one. What fills one takes as long as many instructions.
 */
enum { LONG_BLOCK = 64 * 1024 };
void limits_note_long(lur_runtime *rt, size_t old_size, size_t size);

/* A function of the host has returned, which may have taken long. */
void limits_called(lur_runtime *rt);

/* The runtime is gone. */
void limits_deinit(lur_runtime *rt);

/* A step of the running task, or code outside of tasks, begins and ends. */
void limits_begin(lur_runtime *rt);
void limits_end(lur_runtime *rt);

/* A C function has worked for so many steps, each about as long as an instruction of Lua. Can raise. */
void limits_charge(lua_State *L, size_t steps);

/* A script was started. */
void limits_script_started(lur_runtime *rt, struct scope *script);

/* A script (NULL: every one) has reached a limit, in code that runs on `L` (NULL: none does). */
void limits_reach(lur_runtime *rt, struct scope *script, limit_kind kind, lua_State *L);

/* There is one task more than there may be: raises in the running one. */
int limits_refuse_task(lua_State *L);

/* Clean-up of a task begins and ends. */
void limits_cleanup_begins(lur_task *t);
void limits_cleanup_ends(lur_task *t);

/* Its scripts were interrupted: what computes and does not wait must end, too. */
void limits_interrupted(lur_runtime *rt);

/* guard(handler) -> the handler for xpcall that is not called for a limit; the same without a hook */
int limits_guard(lua_State *L);

#endif
