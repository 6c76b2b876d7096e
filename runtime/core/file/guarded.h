/* Paths that lead nowhere else: "//srv/data/x". Two slashes stand in front of a path that a permission was
 * given for; the functions here follow no link on it, not even one that was put there since. Any other path
 * they take as the system does. */
#ifndef LURCHER_CORE_GUARDED_H
#define LURCHER_CORE_GUARDED_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

static inline bool is_guarded(const char *path) { return path[0] == '/' && path[1] == '/'; }

/* As it is shown, and asked for. */
static inline const char *guarded_name(const char *path) { return is_guarded(path) ? path + 1 : path; }

/* The system calls without "guarded_"; -1 with errno. ELOOP: there is a link on a guarded path. */
int guarded_open(const char *path, int flags, mode_t mode);
int guarded_stat(const char *path, struct stat *status);
int guarded_lstat(const char *path, struct stat *status);
int guarded_mkdir(const char *path, mode_t mode);
int guarded_rmdir(const char *path);
int guarded_unlink(const char *path);
int guarded_link(const char *from, const char *to);

/* By the rights that files are opened with. */
int guarded_access(const char *path, int mode);

/* renameat2(2): `flags` may be RENAME_NOREPLACE. */
int guarded_rename(const char *from, const char *to, unsigned flags);

/* A name for who opens files by name only: "/proc/self/fd/N" of the file that a guarded path names now, for
 * as long as it is held. */
typedef struct {
  int fd;
  char name[32];
} guarded_hold;

/* -1 with errno. */
int guarded_hold_open(guarded_hold *h, const char *path);
void guarded_hold_close(guarded_hold *h); /* once, and not before guarded_hold_open did well */

/* The folder that a path's last name is in, for calls that are not above. */
typedef struct {
  int folder; /* AT_FDCWD: `name` is the whole path */
  const char *name;
} guarded_place;

/* Opens the folder of a guarded path; false with errno. The name lives as long as the path. */
bool guarded_place_find(guarded_place *p, const char *path);

/* Closes it. Returns `result`, and keeps errno. */
int guarded_place_leave(const guarded_place *p, int result);

#endif
