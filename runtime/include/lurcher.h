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
 * otherwise; on another it does nothing, and returns LUR_INVALID where it has a status. Callbacks are called
 * on that thread, from within the loop. None of these functions raises a Lua error. Where the runtime or task
 * is NULL they do nothing, as free() does; those with a status return LUR_INVALID.
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
  const char *name; /* NET: the host, in lower case, as DNS knows it, without a dot at its end. READ, WRITE:
                       the absolute path, without links; of what does not exist, that of its folder with its
                       name. ENV, RUN, FFI, MODULE: the name. Else "" */
  int port;         /* NET, LISTEN; 0: none, or any */
  const struct sockaddr *address; /* NET_ADDRESS, LISTEN; else NULL. Of family AF_UNSPEC: only a proxy will
                                     know it. IPv4 in IPv6 (::ffff:10.0.0.1) comes as IPv4 */
  const char *why;                /* what for, where that is not plain: "a proxy"; else NULL */
  lur_task *task;                 /* the script; NULL: none */
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

  /* What scripts may touch. Called before each access; 0: it fails with kind "denied". NET_NAME comes before
   * a name is looked up, for each attempt and hop; NET_ADDRESS before each connection is made or used again.
   * It must be quick, for the loop waits, and must not call into the runtime, which refuses. What it raises
   * is a refusal. NULL: everything is allowed, but with LUR_SANDBOX nothing. */
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
  int trace_detail;     /* of `trace`, besides one line per attempt and decision: 0 nothing, 1 the heads of
                           request and response, 2 the start of their bodies, too; a line each */
  int names_flags;      /* not 0: what a refusal says names the flag of the command that would allow it */
} lur_options;

/* Sets every member to its default. The size is that of the header the host was compiled with. */
LUR_API void lur_options_init_sized(lur_options *options, size_t size);
#define lur_options_init(options) lur_options_init_sized((options), sizeof(lur_options))

/* Makes a runtime. `options` may be NULL (all defaults); it is copied. On failure *runtime is NULL:
 * LUR_NO_MEMORY, LUR_IO (no loop could be made), LUR_INVALID. Any thread; the runtime belongs to the thread
 * that uses it first. */
LUR_API lur_status lur_open(lur_runtime **runtime, const lur_options *options);

/* Starts a script; it runs in the loop, not in this call. `chunkname` is used in messages ("@name.lua" for
 * files, as in Lua; those that begin with "@lurcher/" are for the runtime's own code, which no limit stops);
 * `source` is text (a first line starting with # is skipped), or bytecode with LUR_LIB_BYTECODE, and is not
 * needed after the call. `argv[0..argc)`, at most 20,000, become the script's `...`; the global `arg` is the
 * host's to set (lur_set_arg). `done` may be NULL; `task` may be NULL, else *task is valid until `done` has
 * returned. LUR_SYNTAX: it does not compile, lur_error tells where, and `done` is not called. */
LUR_API lur_status lur_start(lur_runtime *runtime, const char *chunkname, const char *source, size_t length,
                             int argc, const char *const *argv, lur_done_fn done, void *ud, lur_task **task);

/* ---- values ---- */

/* How a script ended; valid during the callback. No text is NULL unless that is said. */
typedef struct lur_result {
  size_t size;
  lur_status status;
  const char *report; /* as lur_done_fn has it; NULL when all is well */
  const char *json;   /* what the script returned, a JSON array; NULL: not LUR_OK, or no JSON can hold it */
  size_t json_length;
  const char *kind, *message; /* of the error: without traceback; kind "": it is none of Lurcher's */
  const char *error_json;     /* the table that was raised, or the error's fields; NULL: no table */
  size_t error_json_length;
  const char *limit; /* LUR_LIMIT: which one; else "" */
} lur_result;

typedef void (*lur_result_fn)(lur_task *task, const lur_result *result, void *ud);

/* A script; all-zero but for what it needs. */
typedef struct lur_script {
  size_t size; /* sizeof(lur_script) */
  const char *chunkname, *source;
  size_t length;
  const char *arguments; /* a JSON array: the script's `...`; null is nil; NULL: none */
  size_t arguments_length;
  lur_result_fn done; /* called as lur_done_fn is; may be NULL */
  void *ud;
  double max_seconds; /* until it is ended with LUR_LIMIT; 0: no limit */
  int own_globals;    /* not 0: what it sets stays its own; it sees those of the runtime, too */
} lur_script;

/* lur_start with values. A top-level `return nil, err` is a result like others. Whole numbers beyond 2^53
 * come as strings of digits. LUR_INVALID: the arguments are no JSON array (lur_error tells where). */
LUR_API lur_status lur_run_script(lur_runtime *runtime, const lur_script *script, lur_task **task);

/* Offers a value to scripts: require("host").NAME. It may be set again; null takes it away. Names may have
 * dots, and clash when one would have to be within another's value. LUR_INVALID: no JSON; the name. */
LUR_API lur_status lur_set_json(lur_runtime *runtime, const char *name, const char *json, size_t length);

/* The `ud` that the script was started with. NULL: it has ended. */
LUR_API void *lur_task_ud(const lur_task *task);

/* ---- functions of the host ---- */

/* A call by a script of a function of the host. */
typedef struct lur_call lur_call;

typedef enum {
  LUR_TYPE_NIL,
  LUR_TYPE_BOOLEAN,
  LUR_TYPE_NUMBER,
  LUR_TYPE_STRING,
  LUR_TYPE_TABLE,
  LUR_TYPE_OTHER
} lur_type;

/* Called on the loop's thread, from within the script. Reads the arguments, then gives results, fails,
 * raises, or pends; then returns. It must neither run the loop nor end the process. */
typedef void (*lur_host_fn)(lur_call *call, void *ud);

/* Offers a function to scripts: require("host").db.query(...) for the name "db.query". The last one that is
 * registered under a name counts. LUR_INVALID: as for lur_set_json; fn is NULL. */
LUR_API lur_status lur_register(lur_runtime *runtime, const char *name, lur_host_fn fn, void *ud);

/* The arguments, from 1, until the function returns. Out of range: nil. No value is converted: of another
 * type than asked for it is false (of nil and false; of all others true), 0 or NULL. Texts end with a zero,
 * and may have zeros within; `length` may be NULL. lur_arg_json is NULL for what JSON cannot hold. */
LUR_API int lur_arg_count(const lur_call *call);
LUR_API lur_type lur_arg_type(const lur_call *call, int i);
LUR_API int lur_arg_boolean(lur_call *call, int i);
LUR_API double lur_arg_number(lur_call *call, int i);
LUR_API const char *lur_arg_string(lur_call *call, int i, size_t *length);
LUR_API const char *lur_arg_json(lur_call *call, int i, size_t *length);

/* The script that calls; valid until it has ended. */
LUR_API lur_task *lur_call_task(const lur_call *call);

/* Appends a result, at most 200; what is given is copied. On the loop's thread; after lur_pend on any thread,
 * one at a time. LUR_INVALID: the call is completed or has failed, or the JSON does not parse. */
LUR_API lur_status lur_return_nil(lur_call *call);
LUR_API lur_status lur_return_boolean(lur_call *call, int value);
LUR_API lur_status lur_return_number(lur_call *call, double value);
LUR_API lur_status lur_return_string(lur_call *call, const char *text, size_t length);
LUR_API lur_status lur_return_json(lur_call *call, const char *text, size_t length);

/* In place of all results: the script gets nil and an error of kind "host"; `code` may be NULL. */
LUR_API lur_status lur_fail(lur_call *call, const char *code, const char *message);

/* In place of all results: the script made a mistake. The message is raised at its line. */
LUR_API lur_status lur_raise(lur_call *call, const char *message);

/* The call ends later, by lur_complete; its task waits. `cancel` (may be NULL) is called at most once, on the
 * loop's thread, when the task does not wait any more, or cannot wait: then the results are not looked at,
 * but the call has to be completed all the same. `release` (may be NULL) is called exactly once, as the last
 * of all, on the loop's thread, or on that of lur_complete when the runtime is closed. Only from within the
 * function, once. */
LUR_API lur_status lur_pend(lur_call *call, void (*cancel)(lur_call *call, void *ud),
                            void (*release)(void *ud), void *ud);

/* Any thread: exactly once for each call that was pended, cancelled or not, be the runtime closed or not. The
 * call must not be used after it. */
LUR_API void lur_complete(lur_call *call);

/* Any thread: not 0 once nobody waits for the call. */
LUR_API int lur_call_canceled(const lur_call *call);

/* Any thread, until lur_close is called: calls `fn` on the loop's thread, then `release` (may be NULL). Posts
 * do not keep lur_run going; when the runtime is closed before, only `release` is called. LUR_INVALID: it was
 * not taken. */
LUR_API lur_status lur_post(lur_runtime *runtime, void (*fn)(lur_runtime *runtime, void *ud),
                            void (*release)(void *ud), void *ud);

/* Offers a module to scripts: they get it by `require`, before load_module is asked and any file is looked
 * for. The source is copied; errors name it by `module`. The last one that is preloaded under a name counts,
 * for scripts that have not loaded it yet. A confined script has a module of its own, with the script's
 * globals. LUR_SYNTAX: lur_error tells where. LUR_INVALID: the name is empty, "host", or of the runtime's
 * own ("lurcher.x"). */
LUR_API lur_status lur_preload(lur_runtime *runtime, const char *module, const char *source, size_t length);

/* ---- running ---- */

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

/* Figures of a runtime, as of now. */
typedef struct lur_counts {
  size_t size;                 /* sizeof(lur_counts) */
  unsigned tasks;              /* that have not ended */
  unsigned in_flight;          /* requests that run */
  unsigned waiting;            /* requests that wait for a slot or for their turn */
  unsigned connections;        /* open ones, idle or not */
  size_t memory, peak;         /* bytes, as memory_limit counts them */
  unsigned long long requests; /* attempts that were started */
  unsigned long long bytes;    /* received, heads included */
  double cpu; /* seconds of the processor's time: of tasks, as cpu_seconds counts them; without cpu_seconds of
                 the runtime's thread, whatever it did */
} lur_counts;

/* Sets what `counts->size` has room for. On the wrong thread, and within permit and load_module, all is 0. */
LUR_API void lur_count(const lur_runtime *runtime, lur_counts *counts);

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

/* Whether an address leads to this machine or its networks and not to the internet: loopback, private,
 * shared, link-local, multicast and reserved ranges of IPv4 and IPv6, also inside mapped, 6to4 and NAT64
 * addresses; and every other family. Any thread. */
LUR_API int lur_address_is_private(const struct sockaddr *address);

/* What the last call that returned an error status had to say; "" if nothing. Valid until the next call. */
LUR_API const char *lur_error(const lur_runtime *runtime);

/* Of this header: 0xMMmmpp for MM.mm.pp. */
#define LUR_VERSION 0x000200

/* "0.2.0", and LUR_VERSION, of the library that is linked. Any thread. */
LUR_API const char *lur_version(void);
LUR_API unsigned lur_version_number(void);

/* "ok", "failed", … for messages: a static string. Any thread. */
LUR_API const char *lur_status_name(lur_status status);

#ifdef __cplusplus
}
#endif

#endif
