/* Paths that follow no link: where they lead is told before, and stays so. */
#include "core/file/guarded.h"
#include "core/file/guarded_path.h"

#include "support/unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char root[PATH_MAX];
static bool is_old; /* the system does not know openat2 */

/* In the place of the C library's. */
long syscall(long number, ...)
{
  long (*real)(long, ...);
  *(void **)&real = dlsym(RTLD_NEXT, "syscall");
  va_list list;
  long given[6];
  va_start(list, number);
  for (int i = 0; i < 6; i++) given[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_openat2 && is_old) {
    errno = ENOSYS;
    return -1;
  }
  return real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

static const char *below(const char *name)
{
  static char texts[4][PATH_MAX + 64];
  static unsigned turn;
  char *text = texts[turn++ % 4];
  snprintf(text, sizeof texts[0], "%s/%s", root, name);
  return text;
}

static void make_file(const char *name)
{
  int fd = open(below(name), O_WRONLY | O_CREAT, 0600);
  check(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
}

/* Where `name` leads, below the root. */
static void check_leads(const char *name, bool follows, const char *wanted)
{
  char *got = guarded_path(below(name), follows);
  check(got && is_guarded(got));
  if (got && *wanted) check_string(guarded_name(got), below(wanted));
  if (got && !*wanted) check_string(guarded_name(got), root);
  free(got);
}

static void follow_links(void)
{
  check_leads("in/file", true, "in/file");
  check_leads("in/../in/./file", true, "in/file");
  check_leads("in//file", true, "in/file");
  check_leads("in/link", true, "out/secret");
  check_leads("in/link", false, "in/link");
  check_leads("in/folder/secret", false, "out/secret");
  check_leads("in/folder/../in/file", true, "in/file");
  check_leads("in/dangling", true, "out/new");
  check_leads("in/missing/deeper", true, "in/missing/deeper");
  check_leads("in/up", true, "");
  char *loop = guarded_path(below("in/loop"), true);
  check(!loop && errno == ELOOP);
  check_leads("in/missing/../../out/secret", true, "out/secret"); /* no error tells what is not there */
  check_leads("in/missing/deeper/../../link", true, "out/secret");
  check(!guarded_path("", true) && errno == ENOENT);
}

static void name_by_the_system(void)
{
  char *got = guarded_path("/proc/self/root/etc", true);
  check_string(got, "//etc");
  free(got);
  got = guarded_path("/proc/self/cwd/../../../../../../../..", true);
  check_string(got, "//");
  free(got);
  int fd = open(below("out/secret"), O_RDONLY);
  char name[64];
  snprintf(name, sizeof name, "/dev/fd/%d", fd);
  got = guarded_path(name, true);
  check_string(got ? guarded_name(got) : "", below("out/secret"));
  free(got);
  close(fd);
}

static char *guard(const char *name)
{
  char *path = guarded_path(below(name), true);
  check(path != NULL);
  return path;
}

/* A link is put in the place of a file, then of a folder, that was asked for. */
static void stay_where_asked(void)
{
  struct stat status;
  char *path = guard("in/file"), *deep = guard("in/real/file"), *fresh = guard("in/fresh");
  check(guarded_stat(path, &status) == 0 && guarded_access(path, R_OK) == 0);
  check(unlink(below("in/file")) == 0 && symlink("../out/secret", below("in/file")) == 0);
  check(guarded_open(path, O_RDONLY, 0) < 0 && errno == ELOOP);
  check(guarded_open(path, O_WRONLY | O_CREAT, 0600) < 0 && errno == ELOOP);
  check(guarded_stat(path, &status) < 0 && errno == ELOOP);
  check(guarded_access(path, R_OK) < 0 && errno == ELOOP);
  check(guarded_lstat(path, &status) == 0 && S_ISLNK(status.st_mode));
  check(rename(below("in/real"), below("in/moved")) == 0 && symlink("../out", below("in/real")) == 0);
  check(guarded_open(deep, O_RDONLY, 0) < 0 && (errno == ENOTDIR || (!is_old && errno == ELOOP)));
  check(guarded_lstat(deep, &status) < 0);
  check(guarded_unlink(deep) < 0 && guarded_mkdir(deep, 0700) < 0 && guarded_rmdir(deep) < 0);
  check(guarded_rename(deep, fresh, 0) < 0 && guarded_rename(path, deep, 0) < 0);
  check(guarded_link(deep, fresh) < 0 && guarded_link(path, deep) < 0);
  check(access(below("out/secret"), F_OK) == 0 && access(below("out/file"), F_OK) != 0);
  check(guarded_unlink(path) == 0 && access(below("out/secret"), F_OK) == 0);
  free(path);
  free(deep);
  free(fresh);
}

static void work_as_the_system(void)
{
  struct stat status;
  char *folder = guard("in/made"), *file = guard("in/made/a"),
       *other = guarded_path(below("in/made/b"), false);
  check(guarded_mkdir(folder, 0700) == 0);
  int fd = guarded_open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  check(fd >= 0 && close(fd) == 0);
  check(guarded_rename(file, other, 0) == 0 && guarded_stat(other, &status) == 0);
  check(guarded_link(other, file) == 0 && guarded_unlink(file) == 0 && guarded_unlink(other) == 0);
  check(guarded_rmdir(folder) == 0 && guarded_stat(folder, &status) < 0 && errno == ENOENT);
  check(guarded_stat("//", &status) == 0 && S_ISDIR(status.st_mode));
  free(folder);
  free(file);
  free(other);
}

static void check_all(void)
{
  char template[] = "/tmp/guarded-XXXXXX", command[PATH_MAX + 16];
  if (!check(mkdtemp(template) != NULL) || !check(realpath(template, root) != NULL)) return;
  check(mkdir(below("in"), 0700) == 0 && mkdir(below("out"), 0700) == 0);
  check(mkdir(below("in/real"), 0700) == 0);
  make_file("in/file");
  make_file("in/real/file");
  make_file("out/secret");
  check(symlink("../out/secret", below("in/link")) == 0 && symlink("../out", below("in/folder")) == 0);
  check(symlink("../out/new", below("in/dangling")) == 0 && symlink("loop", below("in/loop")) == 0);
  check(symlink(root, below("in/up")) == 0);
  follow_links();
  name_by_the_system();
  work_as_the_system();
  stay_where_asked();
  snprintf(command, sizeof command, "rm -r %s", root);
  check(system(command) == 0);
}

int main(void)
{
  check_all();
  is_old = true;
  check_all();
  return unit_end();
}
