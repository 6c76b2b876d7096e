/* What a script might try that got out of the sandbox, in a library put before the command's own: it runs
 * where the runtime makes its loop, so in a process that is confined. Prints a line for each way: its name,
 * what was answered, and "out" where it led out; then the process ends.
 *
 * $LURCHER_IN is a folder that may be written, $LURCHER_OUT one that may not, with the file "secret";
 * $LURCHER_PORT listens and may not be reached. Descriptor 9 is such a file, and $ESCAPE_SECRET "hidden". */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *inside = "", *outside = "", *port = "0";
static char paths[4][PATH_MAX];

static const char *path_of(int slot, const char *folder, const char *name)
{
  snprintf(paths[slot], sizeof paths[slot], "%s/%s", folder, name);
  return paths[slot];
}

static const char *in(const char *name) { return path_of(0, inside, name); }
static const char *out(const char *name) { return path_of(1, outside, name); }

static const char *of_parent(const char *name)
{
  char folder[32];
  snprintf(folder, sizeof folder, "/proc/%d", (int)getppid());
  return path_of(2, folder, name);
}

/* A child must not go on with the list. */
static long born(long pid)
{
  if (pid == 0) _exit(0);
  return pid;
}

static long by_clone3(void)
{
  uint64_t arguments[8] = {[4] = SIGCHLD};
  return born(syscall(SYS_clone3, arguments, sizeof arguments));
}

static long peek(void)
{
  char bytes[8];
  struct iovec here = {bytes, sizeof bytes}, there = {(void *)environ, sizeof bytes};
  return process_vm_readv(getppid(), &here, 1, &there, 1, 0);
}

static long take_descriptor(void)
{
  int pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
  return syscall(SYS_pidfd_getfd, pidfd, 0, 0);
}

static long signal_by_pidfd(void)
{
  int pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
  return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0);
}

static long queue_signal(void)
{
  siginfo_t info = {.si_code = SI_QUEUE};
  return syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info);
}

static long own_descriptor_for_parent(void)
{
  int ends[2];
  return pipe(ends) ? 0 : fcntl(ends[0], F_SETOWN, getppid());
}

static long control(unsigned long request)
{
  char key = 'x';
  return ioctl(0, request, &key);
}

static long variable_in_proc(void)
{
  static char text[65536];
  int fd = open("/proc/self/environ", O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  errno = ENOENT;
  return memmem(text, (size_t)length, "hidden", 6) ? 0 : -1;
}

static long variable(void)
{
  errno = ENOENT;
  return getenv("ESCAPE_SECRET") ? 0 : -1;
}

static long by_link(void)
{
  if (symlink(out("secret"), in("link")) != 0) return -1;
  int fd = open(in("link"), O_RDONLY);
  int number = errno;
  unlink(in("link"));
  errno = number;
  return fd;
}

static long by_parent_folder(void)
{
  int folder = open(inside, O_RDONLY | O_DIRECTORY);
  const char *name = strrchr(outside, '/');
  return openat(folder, path_of(3, "..", path_of(1, name + 1, "secret")), O_RDONLY);
}

static long new_in(const char *name)
{
  int fd = open(in(name), O_CREAT | O_WRONLY, 0600);
  close(fd);
  return fd;
}

static long rename_out(void) { return new_in("moved") < 0 ? -1 : rename(in("moved"), out("moved")); }
static long link_out(void) { return new_in("linked") < 0 ? -1 : link(in("linked"), out("linked")); }

static long by_handle(void)
{
  int mount_id;
  struct file_handle handle = {.handle_bytes = 0};
  return name_to_handle_at(AT_FDCWD, out("secret"), &handle, &mount_id, 0);
}

static long run_from_memory(void)
{
  static char *const words[] = {"true", NULL};
  int fd = (int)syscall(SYS_memfd_create, "x", 0), file = open("/bin/true", O_RDONLY);
  char bytes[4096];
  for (ssize_t got; (got = read(file, bytes, sizeof bytes)) > 0;)
    if (write(fd, bytes, (size_t)got) < 0) break;
  return fexecve(fd, words, environ);
}

/* Before Linux 6.3 nothing holds that. */
static long write_code(void)
{
  enum { GET_MDWE = 66 };
  if (prctl(GET_MDWE, 0, 0, 0, 0) < 0) return -1;
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static struct sockaddr_in address_of(const char *text)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(text))};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

static long reach(int protocol)
{
  struct sockaddr_in to = address_of(port);
  int fd = socket(AF_INET, SOCK_STREAM, protocol);
  return fd < 0 ? -1 : connect(fd, (void *)&to, sizeof to);
}

static long reach_by_sending(void)
{
  struct sockaddr_in to = address_of(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  return fd < 0 ? -1 : sendto(fd, "x", 1, MSG_FASTOPEN, (void *)&to, sizeof to);
}

static long bind_to_other(void)
{
  struct sockaddr_in at = address_of("1");
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  return fd < 0 ? -1 : bind(fd, (void *)&at, sizeof at);
}

static long raise_limit(void)
{
  struct rlimit limit;
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_CORE, &limit);
}

static long limit_parent(void)
{
  struct rlimit limit = {1, 1};
  return prlimit(getppid(), RLIMIT_CPU, &limit, NULL);
}

static long slow_parent(void)
{
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  return sched_setaffinity(getppid(), sizeof one, &one);
}

static long regain_rights(void)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2] = {
      {.effective = 1u << CAP_SYS_PTRACE, .permitted = 1u << CAP_SYS_PTRACE}};
  return syscall(SYS_capset, &header, sets);
}

static long touch(void) { return utimensat(AT_FDCWD, out("secret"), NULL, 0); }

static char *const truth[] = {"/bin/true", NULL};

/* L: Landlock holds it, T and N: its versions 3 and 4; the rest is seccomp's, or ours.
 * A: not under AddressSanitizer, which needs it itself. */
#define WAYS                                                                                                 \
  WAY("A", "fork", born(fork()))                                                                             \
  WAY("A", "clone", born(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)))                                           \
  WAY("", "clone3", by_clone3())                                                                             \
  WAY("", "unshare", unshare(CLONE_NEWUSER))                                                                 \
  WAY("", "a clone with namespaces", born(syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0)))          \
  WAY("", "setns", setns(0, 0))                                                                              \
  WAY("A", "ptrace of the parent", ptrace(PTRACE_ATTACH, getppid(), 0, 0))                                   \
  WAY("", "process_vm_readv", peek())                                                                        \
  WAY("L", "the parent's memory", open(of_parent("mem"), O_RDWR))                                            \
  WAY("L", "the parent's variables", open(of_parent("environ"), O_RDONLY))                                   \
  WAY("L", "the parent's descriptors", open(of_parent("fd/0"), O_RDONLY))                                    \
  WAY("L", "the parent's root", open(path_of(3, of_parent("root"), out("secret")), O_RDONLY))                \
  WAY("", "pidfd_getfd", take_descriptor())                                                                  \
  WAY("", "a signal to the parent", kill(getppid(), 0))                                                      \
  WAY("", "a signal to the group", kill(0, 0))                                                               \
  WAY("", "a signal to all", kill(-1, 0))                                                                    \
  WAY("", "tgkill", syscall(SYS_tgkill, getppid(), getppid(), 0))                                            \
  WAY("", "tkill", syscall(SYS_tkill, getppid(), 0))                                                         \
  WAY("", "rt_sigqueueinfo", queue_signal())                                                                 \
  WAY("", "pidfd_send_signal", signal_by_pidfd())                                                            \
  WAY("", "the owner of a descriptor", own_descriptor_for_parent())                                          \
  WAY("", "TIOCSTI", control(TIOCSTI))                                                                       \
  WAY("", "TIOCLINUX", control(TIOCLINUX))                                                                   \
  WAY("", "an inherited descriptor", fcntl(9, F_GETFD))                                                      \
  WAY("", "a variable", variable())                                                                          \
  WAY("", "a variable in /proc", variable_in_proc())                                                         \
  WAY("L", "its own memory", open("/proc/self/mem", O_RDWR))                                                 \
  WAY("L", "its own settings", open("/proc/self/oom_score_adj", O_WRONLY))                                   \
  WAY("L", "settings of the kernel", open("/proc/sys/kernel/core_pattern", O_WRONLY))                        \
  WAY("L", "a file outside", open(out("secret"), O_RDONLY))                                                  \
  WAY("L", "a folder outside", open(outside, O_RDONLY | O_DIRECTORY))                                        \
  WAY("L", "a new file outside", open(out("new"), O_CREAT | O_WRONLY, 0600))                                 \
  WAY("L", "a link", by_link())                                                                              \
  WAY("L", "the folder above", by_parent_folder())                                                           \
  WAY("L", "a hard link to outside", link(out("secret"), in("hard")))                                        \
  WAY("L", "a hard link from inside", link_out())                                                            \
  WAY("L", "rename from outside", rename(out("secret"), in("moved_in")))                                     \
  WAY("L", "rename to outside", rename_out())                                                                \
  WAY("L", "remove outside", unlink(out("secret")))                                                          \
  WAY("L", "a folder made outside", mkdir(out("folder"), 0700))                                              \
  WAY("L", "a link made outside", symlink("x", out("symbolic")))                                             \
  WAY("L", "a pipe made inside", mkfifo(in("pipe"), 0600))                                                   \
  WAY("L", "a device made inside", mknod(in("device"), S_IFCHR | 0600, 0x0101))                              \
  WAY("T", "cut short", truncate(out("secret"), 0))                                                          \
  WAY("", "a file's handle", by_handle())                                                                    \
  WAY("", "rights of a file", chmod(out("secret"), 0666))                                                    \
  WAY("", "rights of a file by folder", fchmodat(AT_FDCWD, out("secret"), 0666, 0))                          \
  WAY("", "the owner of a file", chown(out("secret"), 1, 1))                                                 \
  WAY("", "times of a file", touch())                                                                        \
  WAY("", "attributes of a file", setxattr(out("secret"), "user.x", "x", 1, 0))                              \
  WAY("", "watch a folder", inotify_add_watch(inotify_init(), outside, IN_ALL_EVENTS))                       \
  WAY("", "a program", execve("/bin/true", truth, environ))                                                  \
  WAY("", "a program from memory", run_from_memory())                                                        \
  WAY("", "written memory as code", write_code())                                                            \
  WAY("", "a Unix socket", socket(AF_UNIX, SOCK_STREAM, 0))                                                  \
  WAY("", "raw packets", socket(AF_PACKET, SOCK_RAW, 0))                                                     \
  WAY("", "raw IP", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))                                                 \
  WAY("", "the kernel's ciphers", socket(AF_ALG, SOCK_SEQPACKET, 0))                                         \
  WAY("", "the virtual machine's host", socket(AF_VSOCK, SOCK_STREAM, 0))                                    \
  WAY("", "audit messages", socket(AF_NETLINK, SOCK_RAW, 9))                                                 \
  WAY("", "TCP by several ways", reach(262))                                                                 \
  WAY("N", "another port", reach(0))                                                                         \
  WAY("", "another port by sending", reach_by_sending())                                                     \
  WAY("N", "listening on another port", bind_to_other())                                                     \
  WAY("", "io_uring", syscall(SYS_io_uring_setup, 8, NULL))                                                  \
  WAY("", "bpf", syscall(SYS_bpf, 0, NULL, 0))                                                               \
  WAY("", "perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))                               \
  WAY("", "userfaultfd", syscall(SYS_userfaultfd, 1))                                                        \
  WAY("", "keyctl", syscall(SYS_keyctl, 0, -3, 0, 0, 0))                                                     \
  WAY("", "mount", mount("none", inside, "tmpfs", 0, NULL))                                                  \
  WAY("", "chroot", chroot(inside))                                                                          \
  WAY("", "personality", syscall(SYS_personality, 0x0040000))                                                \
  WAY("", "its own limits", raise_limit())                                                                   \
  WAY("", "limits of the parent", limit_parent())                                                            \
  WAY("", "the parent's priority", setpriority(PRIO_PROCESS, (id_t)getppid(), 19))                           \
  WAY("", "the parent's processors", slow_parent())                                                          \
  WAY("", "to outlive the parent", prctl(PR_SET_PDEATHSIG, 0))                                               \
  WAY("", "another user", setuid(0))                                                                         \
  WAY("", "rights of root", regain_rights())                                                                 \
  WAY("", "shared memory", shmget(IPC_PRIVATE, 4096, 0600))                                                  \
  WAY("", "message queues", mq_open("/escape", O_CREAT | O_RDWR, 0600, NULL))                                \
  WAY("", "a session of its own", syscall(SYS_setsid))                                                       \
  WAY("", "another group", setpgid(0, 0))

#define TRY(needs, name, action)                                                                             \
  do {                                                                                                       \
    errno = 0;                                                                                               \
    long result = (long)(action);                                                                            \
    printf("%s\t%s\t%s\n", name, needs, result < 0 ? strerrorname_np(errno) : "out");                        \
  } while (0)
#define WAY(needs, name, action) TRY(needs, name, action);

#if defined(__x86_64__)
/* Not the process's own calls by their numbers: the kernel ends it. */
static void by_other_numbers(void)
{
  long result = syscall(0x40000000 | SYS_getpid);
  printf("getpid of x32: %ld\n", result);
}
#else
static void by_other_numbers(void) { raise(SIGSYS); }
#endif

int epoll_create1(int flags)
{
  (void)flags;
  inside = getenv("LURCHER_IN"), outside = getenv("LURCHER_OUT"), port = getenv("LURCHER_PORT");
  if (!inside) {
    by_other_numbers();
  } else {
    WAYS
  }
  fflush(stdout);
  _exit(0);
}
