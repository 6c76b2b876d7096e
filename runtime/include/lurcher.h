/* Lurcher: a Lua-scriptable HTTP client runtime that can be put into a C program.
 *
 * One runtime (lur_runtime) is one Lua heap, one thread and one libuv loop: its own, or the host's. Several
 * runtimes may live in one process, each in a thread of its own; nothing is shared between them.
 *
 * The library never exits, never prints, and installs no signal handler. What scripts print goes to
 * lur_options.print; what they log goes to lur_options.log. The host should ignore SIGPIPE: a
 * connection that its peer closed raises it.
 *
 * Scripts of one runtime share their globals: each sees what the others set. After fork() the child may only
 * call exec or _exit. A C++ exception must not leave a callback: it would skip C code that owns memory, and
 * the runtime could not be used any more. Callbacks declared noexcept end the program instead, which tells
 * what was thrown.
 *
 * Threads: every function must be called on the runtime's thread (that of its loop), unless it says
 * otherwise. Callbacks are called on that thread, from within the loop. None of these functions raises a Lua
 * error. Where the runtime or task is NULL they do nothing, as free() does; those with a status return
 * LUR_INVALID.
 *
 *   lur_options options;
 *   lur_runtime *runtime;
 *   lur_options_init(&options);
 *   options.print = on_print;
 *   if (lur_open(&runtime, &options) != LUR_OK) …
 *   lur_start(runtime, "@hello.lua", source, length, 0, NULL, on_done, NULL, NULL);
 *   lur_run(runtime);
 *   lur_close(runtime, NULL, NULL);
 */
#ifndef LURCHER_H
#define LURCHER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LUR_API __attribute__((visibility("default")))
#else
#define LUR_API
#endif

typedef struct lur_runtime lur_runtime;

/* One script that was started, with every task it started in turn. */
typedef struct lur_task lur_task;

struct uv_loop_s; /* uv_loop_t */

/* New values are only added at the end. */
typedef enum {
  LUR_OK = 0,
  LUR_FAILED,    /* the script, or a task of it, raised an error */
  LUR_SYNTAX,    /* the source does not compile */
  LUR_CANCELED,  /* it was cancelled: lur_task_cancel, lur_interrupt or lur_close */
  LUR_NO_MEMORY, /* memory ran out */
  LUR_INVALID,   /* an argument is wrong, or the function may not be called now */
  LUR_IO,        /* the operating system refused something: see lur_error */
  LUR_BUDGET,    /* a budget set by the host was used up; see lur_options */
  LUR_LIMIT      /* a limit set by the host was reached; see lur_options */
} lur_status;

/* A script has ended: its body, every task it started, and their clean-up. Called exactly once per started
 * script, from the loop, never before lur_start has returned. `report` is the error's text followed by the
 * Lua lines of every task involved when `status` is LUR_FAILED or LUR_NO_MEMORY, the reason when there is one
 * for LUR_CANCELED, that of lur_budget_report (and what the script failed with) for LUR_BUDGET, and NULL when
 * all is well; it is valid during the call. `task` must not be used after the callback has returned. The
 * callback may start further scripts and may call lur_close. */
typedef void (*lur_done_fn)(lur_task *task, lur_status status, const char *report, void *ud);

/* The runtime is gone: no memory, handle or callback of it is left. */
typedef void (*lur_closed_fn)(void *ud);

/* A script called os.exit(code). It may end the process; it may also return: then every task is cancelled,
 * and the scripts end with LUR_CANCELED. */
typedef void (*lur_exit_fn)(int code, void *ud);

/* A script called print: `text` is the whole line with its newline, valid during the call, not ended by a
 * zero. */
typedef void (*lur_print_fn)(const char *text, size_t length, void *ud);

typedef enum { LUR_LOG_ERROR = 1, LUR_LOG_WARN, LUR_LOG_INFO, LUR_LOG_DEBUG } lur_log_level;

/* One entry of log (a line; a failed background task's report has several), without the last newline, valid
 * during the call, not ended by a zero. */
typedef void (*lur_log_fn)(lur_log_level level, const char *text, size_t length, void *ud);

/* How far scripts are: `text` is the line to show now instead of the one before (no newline, valid during the
 * call, not ended by a zero); length 0: none any more. A text that ends with a newline stays, and the next
 * one is shown below it. At most about ten a second. Returns how many columns there are; 0: not known. */
typedef int (*lur_progress_fn)(const char *text, size_t length, void *ud);

struct sockaddr;

typedef enum {
  LUR_NET_NAME,
  LUR_NET_ADDRESS,
  LUR_LISTEN,
  LUR_READ,
  LUR_WRITE,
  LUR_ENV,
  LUR_RUN,
  LUR_FFI,
  LUR_MODULE
} lur_access_kind;

/* Something that a script is about to touch; valid during the call. */
typedef struct lur_access {
  size_t size;
  lur_access_kind kind;
  const char *name;
  int port;
  const struct sockaddr *address;
  const char *why;
  lur_task *task;
} lur_access;

/* Lua's own libraries; bytecode: load and lur_start take it, and string.dump is there. */
enum {
  LUR_SANDBOX = 0,
  LUR_LIB_IO = 1,
  LUR_LIB_OS = 2,
  LUR_LIB_FFI = 4,
  LUR_LIB_DEBUG = 8,
  LUR_LIB_JIT = 16,
  LUR_LIB_PACKAGE = 32,
  LUR_LIB_BYTECODE = 64
};

/* Always set up by lur_options_init first; then change what should differ. New members are only added at the
 * end; `size` tells the library which of them the host knows. */
typedef struct lur_options {
  size_t size;
  struct uv_loop_s *loop;  /* the host's loop, which the host runs; NULL: the runtime has its own (lur_run) */
  void *ud;                /* passed to the callbacks below */
  lur_print_fn print;      /* NULL: what scripts print is dropped */
  lur_log_fn log;          /* NULL: log lines are dropped */
  lur_exit_fn exit;        /* NULL: os.exit raises an error in the script */
  lur_log_level log_level; /* lines above it are not made; default LUR_LOG_WARN */
  lur_print_fn trace;      /* gets one line (no newline) per request attempt: method, URL, outcome, times;
                              NULL: they are not made */

  /* What all scripts of the runtime together may use; 0: no limit. Once a budget is used up no request is
   * started any more: those that wait and those to come end with kind "limit". Running ones may end, unless
   * max_bytes was passed. Scripts that have not ended 5 seconds after the last request did are cancelled.
   * When max_seconds are over, they are cancelled at once. Every script that ends after something was refused
   * or cancelled for a budget has the status LUR_BUDGET. */
  unsigned long long max_requests; /* attempts that start: retries and the hops of redirects count too */
  unsigned long long max_bytes;    /* received, as they come over the network, heads included */
  double max_seconds;              /* from the first lur_start on; not negative */

  int record; /* not 0: keeps what happened to requests (the first, the slowest, those that
                 failed; some hundreds of KiB) for LUR_SUMMARY_EXPLAIN and LUR_SUMMARY_HTML */

  lur_progress_fn progress; /* NULL: progress is not shown */

  int trace_detail; /* of `trace`, besides one line per attempt and decision: 0 nothing, 1 the heads of
                       request and response, 2 the start of their bodies, too; a line each */

  /* Limits; 0: none. A script that reaches one ends with LUR_LIMIT, and a report that names it and the line.
   * pcall cannot catch that; clean-up code has one more burst, and 4.5 seconds. `memory_limit`, `cpu_seconds`
   * and `max_tasks` end every script, the others the one at fault; the runtime lives on. The first three
   * switch the JIT off. */
  size_t memory_limit;    /* bytes: the Lua heap, tasks, and bodies of responses */
  double burst_seconds;   /* of the processor's time between two waits of a task */
  double cpu_seconds;     /* of the processor's time for all tasks; scripts that start later end so, too */
  unsigned max_tasks;     /* at once */
  unsigned max_in_flight; /* requests at once: further ones wait */
  size_t max_body;        /* bytes of a body in memory, as the script's own option; kind "too_large" */
  unsigned max_depth;     /* of calls nested in C functions: gsub, sort, format, coroutines */

  /* What scripts may touch. Called before each access; 0: it fails with kind "denied". NULL: everything. */
  int (*permit)(const lur_access *access, void *ud);
  unsigned libraries; /* LUR_LIB_… of Lua's own that scripts get; default all. LUR_SANDBOX: none of them */

  /* Asked for modules that are not ours, before any file is looked for: the source, which must stay valid
   * until the next call, its length, and perhaps the name for messages ("@name.lua"; NULL: the module's);
   * NULL: there is none. It must not call into the runtime. */
  const char *(*load_module)(const char *module, size_t *length, const char **chunkname, void *ud);
  const char *module_path; /* takes the place of package.path, and there is no package.cpath then; "": no
                              files; NULL: as Lua has it. Copied */
  double slice_seconds; /* how long tasks may run before the loop looks at its sockets again, and lur_run_for
                           at its time; 0: 5 ms */
} lur_options;

/* Sets every member to its default. The size is that of the header the host was compiled with. */
LUR_API void lur_options_init_sized(lur_options *options, size_t size);
#define lur_options_init(options) lur_options_init_sized((options), sizeof(lur_options))

/* Makes a runtime. `options` may be NULL (all defaults); it is copied. On failure *runtime is NULL:
 * LUR_NO_MEMORY, LUR_IO (no loop could be made), LUR_INVALID. Any thread; the runtime belongs to the thread
 * that uses it first. */
LUR_API lur_status lur_open(lur_runtime **runtime, const lur_options *options);

/* Starts a script; it runs in the loop, not in this call. `chunkname` is used in messages ("@name.lua" for
 * files, as in Lua); `source` is text (a first line starting with # is skipped; bytecode is refused) and is
 * not needed after the call. `argv[0..argc)`, at most 20,000, become the script's `...`; the global `arg` is
 * the host's to set (lur_set_arg). `done` may be NULL; `task` may be NULL, else *task is valid until `done`
 * has returned. LUR_SYNTAX: it does not compile, lur_error tells where, and `done` is not called. */
LUR_API lur_status lur_start(lur_runtime *runtime, const char *chunkname, const char *source, size_t length,
                             int argc, const char *const *argv, lur_done_fn done, void *ud, lur_task **task);

/* Sets the global table `arg`: arg[0] is `name`, arg[1..argc] the arguments. As for the command's scripts,
 * the folder of `name`, if that is a path, comes first in package.path; for "-e" the public modules are
 * globals. */
LUR_API lur_status lur_set_arg(lur_runtime *runtime, const char *name, int argc, const char *const *argv);

/* Own loop only: runs it until every script has ended. When nothing is left to wait for while tasks still
 * wait (a deadlock), they are cancelled, and their scripts fail with a report that says what each waited for.
 * LUR_OK also when scripts failed: that is for `done` to tell. LUR_INVALID: the loop is the host's, or it
 * runs already. */
LUR_API lur_status lur_run(lur_runtime *runtime);

/* Own loop only: runs it for at most so many seconds, as a host that has a loop of its own does again and
 * again; 0: only what is ready. Returns earlier when nothing is left to wait for, and when a callback calls
 * uv_stop. Tasks that wait for each other go on waiting: a script that is started later may help them.
 * LUR_INVALID: as lur_run, and for a number of seconds that is negative or none. */
LUR_API lur_status lur_run_for(lur_runtime *runtime, double seconds);

/* The loop that the runtime uses, its own or the host's, for handles of the host. They have to be closed,
 * and their close callbacks called, before lur_close. */
LUR_API struct uv_loop_s *lur_loop(lur_runtime *runtime);

/* Cancels a script: what it waits for is given up, clean-up code runs, then `done` is called with
 * LUR_CANCELED. `why` (may be NULL) is copied. Cancelling twice does nothing more. */
LUR_API void lur_task_cancel(lur_task *task, const char *why);

/* Cancels every script; their clean-up code has 4.5 seconds in all, then its waits raise too. May be called
 * from any thread and from signal handlers, as long as the runtime is not closed. */
LUR_API void lur_interrupt(lur_runtime *runtime);

/* Who holds the loop now: `text` gets "task 3 (spawned at a.lua:12)" or "the main task (a.lua)", cut at
 * `size` - 1 bytes; returns for how many seconds, some milliseconds coarse. 0: no task runs. On the runtime's
 * thread, or in a signal handler. (That a task held the loop for more than a second is logged at warn.) */
LUR_API double lur_busy(const lur_runtime *runtime, char *text, size_t size);

/* Kills the processes that scripts of this program have started and that still run (exit() does: it tells
 * them to end first, and waits a second). Any thread, any signal handler. */
LUR_API void lur_kill_processes(void);

/* What was done and what was left, in several lines, once something was refused or cancelled for a budget;
 * NULL before. Valid until the next call. */
LUR_API const char *lur_budget_report(lur_runtime *runtime);

/* Starts no further requests: those that are made from now on, and those that still wait for a slot, end with
 * kind "canceled" (a retry and a redirect's next hop are requests too). Those that run go on. May be called
 * from any thread and from signal handlers, as long as the runtime is not closed. */
LUR_API void lur_drain(lur_runtime *runtime);

/* Cancels everything that runs, lets clean-up code run (for at most 5 seconds in all), frees the runtime, and
 * then calls `closed` (may be NULL). With an own loop all of this happens before it returns, but for a call
 * from within one of the runtime's callbacks: then when lur_run returns. With the host's loop it returns at
 * once and goes on in the loop. The runtime must not be used after the call, but for lur_interrupt and for
 * lur_task_cancel until `closed` is called. */
LUR_API void lur_close(lur_runtime *runtime, lur_closed_fn closed, void *ud);

/* Texts of what requests did so far. */
typedef enum {
  LUR_SUMMARY_STATS,   /* tables by name and origin, for a terminal */
  LUR_SUMMARY_EXPLAIN, /* a waterfall of each call, for a terminal; wants lur_options.record */
  LUR_SUMMARY_HTML, /* both and a histogram as one page that needs no other file; wants lur_options.record */
  LUR_SUMMARY_PROMETHEUS /* the counts in the text format 0.0.4 of Prometheus */
} lur_summary_kind;

/* Makes a summary and hands it to `write` in one piece, before it returns. `columns` is the width of the
 * terminal (0: 80; 60 to 300 are heeded), `colors` whether it knows colours; both only matter to the first
 * two. Credentials are left out. While scripts run, when lur_run has returned, and in lur_options.exit; in no
 * other callback that comes from within a running script (print, log, trace): then LUR_INVALID, as without
 * lur_options.record where that is wanted. LUR_FAILED: it could not be made, lur_error tells why. */
LUR_API lur_status lur_summary(lur_runtime *runtime, lur_summary_kind kind, int columns, int colors,
                               lur_print_fn write, void *ud);

/* What the last call that returned an error status had to say; "" if nothing. Valid until the next call. */
LUR_API const char *lur_error(const lur_runtime *runtime);

/* "0.1.0". Any thread. */
LUR_API const char *lur_version(void);

/* "ok", "failed", … for messages: a static string. Any thread. */
LUR_API const char *lur_status_name(lur_status status);

#ifdef __cplusplus
}
#endif

#endif
