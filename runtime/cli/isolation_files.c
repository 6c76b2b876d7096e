#include "isolation_files.h"

#include "complaint.h"
#include "permissions.h"

#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* What headers older than the kernel do not name; the version that each came with. */
enum { SINCE_REFER = 2, SINCE_TRUNCATE = 3, SINCE_NET = 4, SINCE_IOCTL = 5, SINCE_SCOPE = 6 };
static const uint64_t REFERS = 1 << 13, TRUNCATES = 1 << 14, CONTROLS = 1 << 15;
static const uint64_t BINDS = 1 << 0, CONNECTS = 1 << 1;
static const uint64_t ABSTRACT_SOCKETS = 1 << 0, SIGNALS = 1 << 1;
enum { RULE_NET_PORT = 2 };

typedef struct {
  uint64_t files, net, scoped;
} handled_rights; /* struct landlock_ruleset_attr */

typedef struct {
  uint64_t access, port;
} port_rule; /* struct landlock_net_port_attr */

typedef struct {
  int ruleset;
  handled_rights handled;
} landlock;

static void allow_beneath(const landlock *l, const char *path, uint64_t access)
{
  struct stat at;
  struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
  if (rule.parent_fd < 0) return;
  bool is_folder = fstat(rule.parent_fd, &at) == 0 && S_ISDIR(at.st_mode);
  rule.allowed_access =
      access & l->handled.files & (is_folder ? UINT64_MAX : FOR_FILES | TRUNCATES | CONTROLS);
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
  allow_beneath(user, is_folder ? path : dirname(folder), READS | WRITES | REFERS | TRUNCATES | CONTROLS);
}

/* To make it: connecting is not Landlock's affair. */
static void allow_socket(const char *path, void *user)
{
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", path);
  allow_beneath(user, dirname(folder), LANDLOCK_ACCESS_FS_MAKE_SOCK);
}

static void allow_port(int port, void *user)
{
  const landlock *l = user;
  port_rule rule = {.access = (port ? BINDS | CONNECTS : BINDS) & l->handled.net, .port = (uint64_t)port};
  if (rule.access) syscall(SYS_landlock_add_rule, l->ruleset, RULE_NET_PORT, &rule, 0);
}

/* Of /etc, root could read what others may not. */
static void allow_settings(const landlock *l, uint64_t access)
{
  static const char *const needed[] = {
      "/etc/ssl",          "/etc/pki",         "/etc/ca-certificates", "/etc/resolv.conf",
      "/etc/hosts",        "/etc/host.conf",   "/etc/gai.conf",        "/etc/nsswitch.conf",
      "/etc/services",     "/etc/protocols",   "/etc/localtime",       "/etc/timezone",
      "/etc/ld.so.cache",  "/etc/ld.so.conf",  "/etc/ld.so.conf.d",    "/etc/nscd.conf",
      "/etc/passwd",       "/etc/group",       "/etc/mime.types",      "/etc/terminfo",
      "/etc/locale.alias", "/etc/alternatives"};
  bool whole = geteuid() != 0 || permissions_allow_programs();
  if (whole) allow_beneath(l, "/etc", access);
  for (size_t i = 0; !whole && i < sizeof needed / sizeof *needed; i++) allow_beneath(l, needed[i], access);
}

/* What libraries and the lookup of names need. */
static void allow_system(const landlock *l)
{
  static const char *const read[] = {"/usr",
                                     "/lib",
                                     "/lib64",
                                     "/bin",
                                     "/run/nscd",
                                     "/proc/self",
                                     "/proc/meminfo",
                                     "/proc/cpuinfo",
                                     "/proc/stat",
                                     "/dev/urandom",
                                     "/run/systemd/resolve",
                                     "/dev/random",
                                     "/proc/loadavg",
                                     "/run/resolvconf"};
  uint64_t access = permissions_allow_programs() ? READS | LANDLOCK_ACCESS_FS_EXECUTE : READS;
  for (size_t i = 0; i < sizeof read / sizeof *read; i++) allow_beneath(l, read[i], access);
  allow_settings(l, access);
  allow_beneath(l, "/dev/null", READS | WRITES_FILE);
  allow_beneath(l, "/dev/tty", READS | WRITES_FILE | CONTROLS);
}

/* Ports are held when all that is allowed names one: a rule for each of 65,535 would take too long. */
static bool holds_ports(void)
{
  permissions_reach reach;
  permissions_get_reach(&reach);
  return !reach.any_port;
}

static handled_rights rights_of(long version)
{
  handled_rights r = {.files = READS | WRITES | OTHERS};
  if (version >= SINCE_REFER) r.files |= REFERS;
  if (version >= SINCE_TRUNCATE) r.files |= TRUNCATES;
  if (version >= SINCE_IOCTL) r.files |= CONTROLS;
  if (version >= SINCE_NET && holds_ports()) r.net = BINDS | CONNECTS;
  if (version >= SINCE_SCOPE) r.scoped = ABSTRACT_SOCKETS | SIGNALS;
  return r;
}

static size_t size_of_rights(long version)
{
  return version >= SINCE_SCOPE ? sizeof(handled_rights) : version >= SINCE_NET ? 16 : 8;
}

/* Of a script that may reach nothing, or run nothing, the seccomp filter holds the rest. */
static void tell_missing(long version)
{
  permissions_reach reach;
  permissions_get_reach(&reach);
  bool ports = version < SINCE_NET && !reach.any_port && reach.internet;
  bool scope = version < SINCE_SCOPE && (reach.sockets || permissions_allow_programs());
  if (version >= SINCE_TRUNCATE && !ports && !scope) return;
  complain("--isolate: this kernel's Landlock (version %ld) does not hold%s%s%s%s%s", version,
           version < SINCE_TRUNCATE ? " the cutting short of files" : "",
           version < SINCE_TRUNCATE && (ports || scope) ? "," : "", ports ? " ports of connections" : "",
           ports && scope ? "," : "", scope ? " signals and abstract sockets" : "");
}

static bool restrict_self(landlock *l, const cli_options *options)
{
  allow_system(l);
  permissions_each_path(false, allow_reading, l);
  permissions_each_path(true, allow_writing, l);
  if (options->report) allow_writing(options->report, l);
  permissions_each_port(allow_port, l);
  permissions_each_socket(allow_socket, l);
  return syscall(SYS_landlock_restrict_self, l->ruleset, 0) == 0;
}

void isolation_guard_files(const cli_options *options)
{
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  landlock l = {.handled = rights_of(version), .ruleset = -1};
  if (version >= 1)
    l.ruleset = (int)syscall(SYS_landlock_create_ruleset, &l.handled, size_of_rights(version), 0);
  bool well = l.ruleset >= 0 && restrict_self(&l, options);
  if (l.ruleset >= 0) close(l.ruleset);
  if (well)
    tell_missing(version);
  else
    complain("--isolate: this kernel has no Landlock; files are guarded by the sandbox alone");
}
