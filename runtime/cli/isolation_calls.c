#include "isolation_calls.h"

#include "permissions.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

/* What neither a script nor a program that it may run needs. */
static const int refused[] = {
#ifndef __SANITIZE_ADDRESS__ /* which looks for leaks by it */
    SYS_ptrace,
#endif
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    SYS_process_madvise,
    /* other views of the files, and files by number */
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fspick,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_open_tree,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_fanotify_init,
    SYS_quotactl,
    SYS_swapon,
    SYS_swapoff,
    /* the kernel itself */
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_syslog,
    SYS_acct,
    SYS_reboot,
    SYS_personality,
    SYS_lookup_dcookie,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_vhangup,
    SYS_migrate_pages,
    SYS_move_pages,
    /* its own limits and users */
    SYS_setrlimit,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_setfsuid,
    SYS_setfsgid,
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef __x86_64__
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_uselib,
    SYS_sysfs,
    SYS_ustat,
#endif
};

/* What programs may, should there be any that it may run: to run others and to signal them, and what
 * Landlock does not hold. */
static const int of_programs[] = {
    SYS_execve,
    SYS_execveat,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
    SYS_setsid,
    SYS_setpgid,
    SYS_setpriority,
    SYS_sched_setscheduler,
    SYS_sched_setparam,
    SYS_sched_setattr,
    SYS_sched_setaffinity,
    SYS_ioprio_set,
    /* rights and times of files by name */
    SYS_fchmodat,
    SYS_fchownat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_inotify_add_watch,
    /* what processes share */
    SYS_shmget,
    SYS_shmat,
    SYS_shmctl,
    SYS_semget,
    SYS_semop,
    SYS_semtimedop,
    SYS_semctl,
    SYS_msgget,
    SYS_msgsnd,
    SYS_msgrcv,
    SYS_msgctl,
    SYS_mq_open,
    SYS_mq_unlink,
    452, /* fchmodat2 */
#ifdef __x86_64__
    SYS_fork,
    SYS_vfork,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
#endif
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- the filter ---- */

enum { MAX_CODE = 2 * (COUNT(refused) + COUNT(of_programs)) + 200 /* for those whose arguments count */ };

typedef struct {
  struct sock_filter code[MAX_CODE];
  unsigned short length;
} filter;

static void emit(filter *f, unsigned code, uint32_t operand, unsigned on_true, unsigned on_false)
{
  if (f->length == MAX_CODE) abort(); /* a longer list takes more room above */
  f->code[f->length++] = (struct sock_filter){(uint16_t)code, (uint8_t)on_true, (uint8_t)on_false, operand};
}

static void load(filter *f, size_t offset) { emit(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }

static void load_argument(filter *f, int index)
{
  load(f,
       offsetof(struct seccomp_data, args) + 8 * (size_t)index); /* the lower half: both are little-endian */
}

static void answer_with(filter *f, uint32_t what) { emit(f, BPF_RET | BPF_K, what, 0, 0); }
static void refuse_it(filter *f) { answer_with(f, SECCOMP_RET_ERRNO | EPERM); }
static void allow_it(filter *f) { answer_with(f, SECCOMP_RET_ALLOW); }

/* The next instruction is left out unless the value is this one, … */
static void if_equal(filter *f, uint32_t value) { emit(f, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1); }
/* … or unless it is another, … */
static void unless_equal(filter *f, uint32_t value) { emit(f, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0); }
/* … or unless it has one of these bits. */
static void if_bits(filter *f, uint32_t bits) { emit(f, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1); }

static void refuse_call(filter *f, int number)
{
  if_equal(f, (uint32_t)number);
  refuse_it(f);
}

/* What comes up to end_call is for this call. */
static unsigned short begin_call(filter *f, int number)
{
  if_equal(f, (uint32_t)number);
  return f->length;
}

/* Jumps over it for other calls. */
static void end_call(filter *f, unsigned short begin)
{
  allow_it(f);
  f->code[begin - 1].jf = (uint8_t)(f->length - begin);
}

static void refuse_values(filter *f, int call, int argument, const uint32_t *values, size_t count)
{
  unsigned short begin = begin_call(f, call);
  load_argument(f, argument);
  for (size_t i = 0; i < count; i++) {
    if_equal(f, values[i]);
    refuse_it(f);
  }
  end_call(f, begin);
}

static void refuse_bits(filter *f, int call, int argument, uint32_t bits)
{
  unsigned short begin = begin_call(f, call);
  load_argument(f, argument);
  if_bits(f, bits);
  refuse_it(f);
  end_call(f, begin);
}

/* This process may end itself by a signal, and signal its threads. */
static void refuse_others(filter *f, int call, uint32_t itself)
{
  unsigned short begin = begin_call(f, call);
  load_argument(f, 0);
  unless_equal(f, itself);
  refuse_it(f);
  end_call(f, begin);
}

static void refuse_pointer(filter *f, int argument)
{
  for (size_t half = 0; half < 2; half++) {
    load(f, offsetof(struct seccomp_data, args) + 8 * (size_t)argument + 4 * half);
    unless_equal(f, 0);
    refuse_it(f);
  }
}

/* Threads, and with programs processes; no new namespaces. What clone3 is asked for cannot be seen: the C
 * library takes clone where it is unknown. */
static void hold_processes(filter *f, bool runs)
{
  enum { THREAD = 0x10000, NAMESPACES = 0x7e020000 };
  unsigned short begin = begin_call(f, SYS_clone);
  load_argument(f, 0);
  if_bits(f, NAMESPACES);
  refuse_it(f);
#ifndef __SANITIZE_ADDRESS__ /* which looks for leaks from a process beside it */
  if (!runs) {
    emit(f, BPF_JMP | BPF_JSET | BPF_K, THREAD, 1, 0);
    refuse_it(f);
  }
#endif
  end_call(f, begin);
  if_equal(f, SYS_clone3);
  answer_with(f, SECCOMP_RET_ERRNO | ENOSYS);
  if (runs) return;
  refuse_others(f, SYS_kill, (uint32_t)getpid());
  refuse_others(f, SYS_tgkill, (uint32_t)getpid());
  begin = begin_call(f, SYS_utimensat); /* of an open file, not of a name */
  refuse_pointer(f, 1);
  end_call(f, begin);
}

/* Keys that the terminal takes for typed ones; signals by descriptors to whoever is named; to outlive the
 * parent. */
static void hold_requests(filter *f)
{
  enum { GET_SUBCODE = 0x541c, SET_OWNER = 8, SET_SIGNAL = 10, SET_OWNER_EX = 15 };
  static const uint32_t requests[] = {0x5412 /* TIOCSTI */, GET_SUBCODE /* TIOCLINUX */, FIOSETOWN,
                                      SIOCSPGRP};
  static const uint32_t commands[] = {SET_OWNER, SET_SIGNAL, SET_OWNER_EX};
  static const uint32_t options[] = {PR_SET_PDEATHSIG};
  refuse_values(f, SYS_ioctl, 1, requests, COUNT(requests));
  refuse_values(f, SYS_fcntl, 1, commands, COUNT(commands));
  refuse_values(f, SYS_prctl, 0, options, COUNT(options));
}

/* It may ask for its own limits, not set any. */
static void hold_limits(filter *f)
{
  unsigned short begin = begin_call(f, SYS_prlimit64);
  load_argument(f, 0);
  unless_equal(f, 0);
  refuse_it(f);
  refuse_pointer(f, 2);
  end_call(f, begin);
}

/* TCP and UDP where hosts are allowed, and what their names' lookup asks the kernel for; Unix sockets where
 * one is. `bits` of a type are the kernel's own. */
static void hold_sockets(filter *f, const permissions_reach *reach)
{
  enum { UNIX = 1, INTERNET = 2, INTERNET_6 = 10, NETLINK = 16, TYPE = 0xf, STREAM = 1, DATAGRAM = 2 };
  unsigned short begin = begin_call(f, SYS_socket);
  load_argument(f, 0);
  if (reach->sockets) {
    if_equal(f, UNIX);
    allow_it(f);
  }
  if (!reach->internet) {
    refuse_it(f);
  } else {
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, NETLINK, 0, 4);
    load_argument(f, 2);
    unless_equal(f, NETLINK_ROUTE);
    refuse_it(f);
    allow_it(f);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, INTERNET, 2, 0);
    unless_equal(f, INTERNET_6);
    refuse_it(f);
    load_argument(f, 1);
    emit(f, BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, STREAM, 2, 0);
    unless_equal(f, DATAGRAM);
    refuse_it(f);
    load_argument(f, 2);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, 6 /* TCP */, 2, 0);
    unless_equal(f, 17 /* UDP */);
    refuse_it(f);
  }
  end_call(f, begin);
}

/* To connect by sending, which Landlock does not see. */
static void hold_ports(filter *f)
{
  enum { FAST_OPEN = 0x20000000 };
  refuse_bits(f, SYS_sendto, 3, FAST_OPEN);
  refuse_bits(f, SYS_sendmsg, 2, FAST_OPEN);
  refuse_bits(f, SYS_sendmmsg, 3, FAST_OPEN);
}

static void write_filter(filter *f)
{
  bool runs = permissions_allow_programs();
  permissions_reach reach;
  permissions_get_reach(&reach);
  load(f, offsetof(struct seccomp_data, arch));
  unless_equal(f, ARCHITECTURE);
  answer_with(f, SECCOMP_RET_KILL_PROCESS);
  load(f, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
  emit(f, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1); /* calls for x32 have this bit */
  answer_with(f, SECCOMP_RET_KILL_PROCESS);
#endif
  for (size_t i = 0; i < COUNT(refused); i++) refuse_call(f, refused[i]);
  for (size_t i = 0; i < COUNT(of_programs) && !runs; i++) refuse_call(f, of_programs[i]);
  hold_processes(f, runs);
  hold_requests(f);
  hold_limits(f);
  hold_sockets(f, &reach);
  if (!reach.any_port) hold_ports(f);
  allow_it(f);
}

bool isolation_guard_calls(void)
{
  filter f = {.length = 0};
  write_filter(&f);
  struct sock_fprog program = {.len = f.length, .filter = f.code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#else

bool isolation_guard_calls(void) { return false; }

#endif
