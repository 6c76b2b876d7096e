#include "isolation.h"

#include "complaint.h"
#include "permissions.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- files: Landlock ---- */

enum {
  READS_FILE = LANDLOCK_ACCESS_FS_READ_FILE,
  READS = READS_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
  WRITES_FILE = LANDLOCK_ACCESS_FS_WRITE_FILE,
  WRITES = WRITES_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
           LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM,
  OTHERS = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
           LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK,
  FOR_FILES = READS_FILE | WRITES_FILE | LANDLOCK_ACCESS_FS_EXECUTE
};

static const uint64_t REFERS = 1 << 13, TRUNCATES = 1 << 14; /* since versions 2 and 3 */

typedef struct {
  int ruleset;
  uint64_t handled;
} landlock;

static void allow_beneath(const landlock *l, const char *path, uint64_t access)
{
  struct stat at;
  struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
  if (rule.parent_fd < 0) return;
  bool is_folder = fstat(rule.parent_fd, &at) == 0 && S_ISDIR(at.st_mode);
  rule.allowed_access = access & l->handled & (is_folder ? UINT64_MAX : FOR_FILES | TRUNCATES);
  syscall(SYS_landlock_add_rule, l->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  close(rule.parent_fd);
}

static void allow_reading(const char *path, void *user) { allow_beneath(user, path, READS); }

/* A file is made anew beside the old one, and takes its place: that needs its folder. */
static void allow_writing(const char *path, void *user)
{
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", path);
  struct stat at;
  bool is_folder = stat(path, &at) == 0 && S_ISDIR(at.st_mode);
  allow_beneath(user, is_folder ? path : dirname(folder), READS | WRITES | REFERS | TRUNCATES);
}

/* What libraries and the lookup of names need. */
static void allow_system(const landlock *l, bool runs)
{
  static const char *const read[] = {
      "/usr",        "/lib",          "/lib64",         "/etc",       "/bin",         "/run/nscd",
      "/proc/self",  "/proc/meminfo", "/proc/cpuinfo",  "/proc/stat", "/dev/urandom", "/run/systemd/resolve",
      "/dev/random", "/proc/loadavg", "/run/resolvconf"};
  for (size_t i = 0; i < sizeof read / sizeof *read; i++)
    allow_beneath(l, read[i], runs ? READS | LANDLOCK_ACCESS_FS_EXECUTE : READS);
  allow_beneath(l, "/dev/null", READS | WRITES_FILE);
  allow_beneath(l, "/dev/tty", READS | WRITES_FILE);
}

static bool guard_files(const cli_options *options)
{
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  landlock l = {.handled = READS | WRITES | OTHERS};
  if (version >= 2) l.handled |= REFERS;
  if (version >= 3) l.handled |= TRUNCATES;
  struct landlock_ruleset_attr attributes = {.handled_access_fs = l.handled};
  l.ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (l.ruleset < 0) return false;
  allow_system(&l, permissions_allow_programs());
  permissions_each_path(false, allow_reading, &l);
  permissions_each_path(true, allow_writing, &l);
  if (options->report) allow_writing(options->report, &l);
  bool well = syscall(SYS_landlock_restrict_self, l.ruleset, 0) == 0;
  close(l.ruleset);
  return well;
}

/* ---- calls of the system: seccomp ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* What no script needs, and what programs need that it may not start. */
static const int refused[] = {
#ifndef __SANITIZE_ADDRESS__ /* which looks for leaks by it */
    SYS_ptrace,
#endif

    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_userfaultfd,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_quotactl,
    SYS_acct,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_personality,
    SYS_io_uring_setup,
    SYS_move_mount,
    SYS_fsopen,
    SYS_open_tree,
    SYS_pidfd_getfd,
    SYS_setuid,
    SYS_setgid,
    SYS_execve,
    SYS_execveat};

enum { REFUSED = sizeof refused / sizeof *refused, OF_PROGRAMS = 2 /* the last ones */ };

static bool guard_calls(void)
{
#ifdef ARCHITECTURE
  struct sock_filter code[REFUSED + 6];
  size_t count = REFUSED - (permissions_allow_programs() ? OF_PROGRAMS : 0), at = 0;
  code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, (uint8_t)(count + 3));
  code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  /* Calls for x32 have this bit. */
  code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, (uint8_t)(count + 1), 0);
  for (size_t i = 0; i < count; i++)
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refused[i],
                                              (uint8_t)(count - i), 0);
  code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  struct sock_fprog program = {.len = (unsigned short)at, .filter = code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
  return false;
#endif
}

/* ---- resources ---- */

static void limit_resource(int which, rlim_t most)
{
  struct rlimit limit;
  if (getrlimit(which, &limit) != 0) return;
  if (limit.rlim_cur > most) limit.rlim_cur = most;
  if (limit.rlim_max > most) limit.rlim_max = most;
  setrlimit(which, &limit);
}

/* Behind the runtime's own limits, should they not hold. */
static void limit_resources(const cli_options *options)
{
  limit_resource(RLIMIT_CORE, 0);
  if (options->cpu > 0) limit_resource(RLIMIT_CPU, (rlim_t)ceil(options->cpu) * 2 + 10);
#ifndef __SANITIZE_ADDRESS__                    /* which takes terabytes of addresses */
  static const rlim_t BESIDE = (rlim_t)2 << 30; /* libraries, stacks of threads, what is reserved */
  if (options->memory) limit_resource(RLIMIT_AS, options->memory + BESIDE);
#endif
}

void isolation_begin(const cli_options *options)
{
  limit_resources(options);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    complain("--isolate: this kernel cannot refuse new privileges; the sandbox alone holds");
  if (!guard_files(options))
    complain("--isolate: this kernel has no Landlock; files are guarded by the sandbox alone");
  if (!guard_calls())
    complain("--isolate: this kernel has no seccomp filter; calls of the system are not guarded");
}
