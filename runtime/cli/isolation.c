#include "isolation.h"

#include "complaint.h"
#include "isolation_calls.h"
#include "isolation_files.h"
#include "isolation_parent.h"
#include "permissions.h"
#include "signals.h"

#include <dirent.h>
#include <linux/capability.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- resources ---- */

static void limit_resource(int which, rlim_t most, rlim_t grace)
{
  struct rlimit limit;
  if (getrlimit(which, &limit) != 0) return;
  if (limit.rlim_cur > most) limit.rlim_cur = most;
  if (limit.rlim_max > most + grace) limit.rlim_max = most + grace;
  setrlimit(which, &limit);
}

/* Behind the runtime's own limits, should they not hold. */
static void limit_resources(const cli_options *options)
{
  limit_resource(RLIMIT_CORE, 0, 0);
  /* The grace: SIGXCPU comes first, by which the parent knows what it was; then SIGKILL. */
  if (options->cpu > 0) limit_resource(RLIMIT_CPU, (rlim_t)ceil(options->cpu) * 2 + 10, 2);
#ifndef __SANITIZE_ADDRESS__                    /* which takes terabytes of addresses */
  static const rlim_t BESIDE = (rlim_t)2 << 30; /* libraries, stacks of threads, what is reserved */
  if (options->memory) limit_resource(RLIMIT_AS, options->memory + BESIDE, 0);
#endif
}

/* ---- what came from outside ---- */

/* Beyond the standard streams: nothing of the command's own is open yet. */
static void close_inherited(void)
{
#ifdef SYS_close_range
  if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0) == 0) return;
#endif
  DIR *folder = opendir("/proc/self/fd");
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    int fd = atoi(entry->d_name);
    if (fd > STDERR_FILENO && fd != dirfd(folder)) close(fd);
  }
  if (folder) closedir(folder);
}

/* Of the terminal, the language, the places of files and certificates: what the runtime itself looks at. */
static bool is_of_runtime(const char *variable)
{
  static const char *const names[] = {
      "PATH=",         "HOME=",         "TZ=",           "TZDIR=",     "LANG=",    "LANGUAGE=",
      "LC_",           "TERM=",         "TERMINFO",      "COLORTERM=", "LINES=",   "COLUMNS=",
      "NO_COLOR=",     "TMPDIR=",       "SSL_CERT_",     "XDG_",       "LURCHER_", "RES_OPTIONS=",
      "ASAN_OPTIONS=", "LSAN_OPTIONS=", "UBSAN_OPTIONS="};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strncmp(variable, names[i], strlen(names[i]))) return true;
  return false;
}

/* The bytes, too: they would stand in /proc/self/environ. */
static void forget_variables(void)
{
  char **kept = environ;
  for (char **at = environ; at && *at; at++) {
    if (is_of_runtime(*at) || permissions_allow_variable(*at))
      *kept++ = *at;
    else
      memset(*at, 0, strlen(*at));
  }
  if (kept) *kept = NULL;
}

/* ---- rights ---- */

/* root is left what opening files and listening take. */
static void drop_capabilities(void)
{
  static const uint32_t kept = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH |
                               1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_NET_BIND_SERVICE;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &header, sets) != 0) return;
  sets[0].effective &= kept;
  sets[0].permitted &= kept;
  sets[0].inheritable &= kept;
  sets[1] = (struct __user_cap_data_struct){0};
  syscall(SYS_capset, &header, sets);
}

/* No memory that was written becomes code: there is no JIT in the sandbox. Since Linux 6.3. */
static void refuse_new_code(void)
{
  enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1 };
  prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0);
}

static void confine(const cli_options *options)
{
  bool runs = permissions_allow_programs();
  close_inherited();
  if (!runs) forget_variables();
  limit_resources(options);
  drop_capabilities();
  if (!runs) refuse_new_code();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    complain("--isolate: this kernel cannot refuse new privileges; the sandbox alone holds");
  isolation_guard_files(options);
  if (!isolation_guard_calls())
    complain("--isolate: this kernel has no seccomp filter; calls of the system are not guarded");
}

void isolation_begin(const cli_options *options)
{
  pid_t parent = getpid();
  isolation_fork();
  signals_come_from(parent);
  permissions_follow_fork(parent);
  confine(options);
}
