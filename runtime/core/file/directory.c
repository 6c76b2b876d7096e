#include "core/file/directory.h"

#include "core/file/guarded.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 128 }; /* levels of a tree to remove; each one holds a file descriptor */

static bool is_dots(const char *name) { return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])); }

/* ---- listing ---- */

static const char *type_name(mode_t mode)
{
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "directory";
  return S_ISLNK(mode) ? "link" : "other";
}

static bool add_entry(directory_listing *listing, const char *name)
{
  if (listing->count == listing->capacity) {
    size_t capacity = listing->capacity ? 2 * listing->capacity : 64;
    directory_entry *entries = realloc(listing->entries, capacity * sizeof *entries);
    if (!entries) return false;
    listing->entries = entries;
    listing->capacity = capacity;
  }
  char *copy = strdup(name);
  if (!copy) return false;
  listing->entries[listing->count++] = (directory_entry){.name = copy, .type = "other"};
  return true;
}

static void add_details(int directory, directory_entry *entry)
{
  struct stat status;
  if (fstatat(directory, entry->name, &status, AT_SYMLINK_NOFOLLOW) != 0) return; /* gone meanwhile */
  entry->type = type_name(status.st_mode);
  entry->size = (double)status.st_size;
  entry->modified = (double)status.st_mtim.tv_sec + (double)status.st_mtim.tv_nsec / 1e9;
}

static int by_name(const void *left, const void *right)
{
  const directory_entry *a = left, *b = right;
  return strcmp(a->name, b->name);
}

bool directory_list(const char *path, bool details, directory_listing *listing, job *j, error *e)
{
  int fd = guarded_open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC, 0);
  DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
  if (!directory) {
    file_error(e, "list", path, errno);
    if (fd >= 0) close(fd);
    return false;
  }
  bool ok = true;
  while (ok) {
    errno = 0;
    struct dirent *found = readdir(directory);
    if (!found) {
      ok = errno == 0 || file_error(e, "list", path, errno);
      break;
    }
    ok = !job_check_stopped(j, e);
    if (!ok || is_dots(found->d_name)) continue;
    ok = add_entry(listing, found->d_name) || file_error(e, "list", path, ENOMEM);
    if (ok && details) add_details(dirfd(directory), &listing->entries[listing->count - 1]);
  }
  closedir(directory);
  if (ok && listing->count > 1) qsort(listing->entries, listing->count, sizeof *listing->entries, by_name);
  return ok;
}

void directory_listing_free(directory_listing *listing)
{
  for (size_t i = 0; i < listing->count; i++) free(listing->entries[i].name);
  free(listing->entries);
  *listing = (directory_listing){0};
}

/* ---- making ---- */

/* One directory; one that is there already is fine. */
static bool make_one(const char *path, const char *whole, error *e)
{
  if (guarded_mkdir(path, 0777) == 0) return true;
  int number = errno;
  struct stat status;
  /* Not only after EEXIST: a directory that exists may answer EROFS or EACCES. */
  if (guarded_stat(path, &status) == 0 && S_ISDIR(status.st_mode)) return true;
  return file_error(e, "make directory", whole, number == EEXIST ? ENOTDIR : number);
}

bool directory_make(const char *path, bool parents, error *e)
{
  if (!parents) return guarded_mkdir(path, 0777) == 0 || file_error(e, "make directory", path, errno);
  if (!*path) return file_error(e, "make directory", path, ENOENT);
  char *part = strdup(path);
  if (!part) return file_error(e, "make directory", path, ENOMEM);
  bool ok = true;
  for (char *slash = strchr(part + (is_guarded(part) ? 2 : 1), '/'); ok && slash;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    ok = make_one(part, path, e);
    *slash = '/';
  }
  ok = ok && make_one(part, path, e);
  free(part);
  return ok;
}

/* ---- removing ---- */

static bool remove_entry(int directory, const char *name, const char *path, unsigned depth, job *j, error *e);

/* Removes all that is in a directory; takes `fd` over. By file descriptors, so that a link put in the place
 * of a directory meanwhile is never followed. */
static bool empty_directory(int fd, const char *path, unsigned depth, job *j, error *e)
{
  DIR *directory = fdopendir(fd);
  if (!directory) {
    file_error(e, "remove", path, errno);
    close(fd);
    return false;
  }
  bool ok = true;
  struct dirent *found;
  while (ok && (errno = 0, found = readdir(directory)))
    if (!is_dots(found->d_name)) ok = remove_entry(fd, found->d_name, path, depth, j, e);
  if (ok && errno) ok = file_error(e, "remove", path, errno);
  closedir(directory);
  return ok;
}

static bool remove_entry(int directory, const char *name, const char *path, unsigned depth, job *j, error *e)
{
  if (job_check_stopped(j, e)) return false;
  if (unlinkat(directory, name, 0) == 0) return true;
  if (errno == ENOENT && depth > 0) return true; /* another process removed it first */
  if (errno != EISDIR && errno != EPERM) return file_error(e, "remove", path, errno);
  if (depth == MAX_DEPTH) return file_error(e, "remove", path, ENAMETOOLONG);
  int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return file_error(e, "remove", path, errno == ENOTDIR ? EPERM : errno);
  if (!empty_directory(fd, path, depth + 1, j, e)) return false;
  return unlinkat(directory, name, AT_REMOVEDIR) == 0 || file_error(e, "remove", path, errno);
}

static bool remove_all(const char *path, job *j, error *e)
{
  guarded_place p;
  if (!guarded_place_find(&p, path)) return file_error(e, "remove", path, errno);
  return guarded_place_leave(&p, remove_entry(p.folder, p.name, path, 0, j, e));
}

bool directory_remove(const char *path, bool recursive, job *j, error *e)
{
  if (recursive) return remove_all(path, j, e);
  if (guarded_unlink(path) == 0) return true;
  int number = errno;
  if (number == EISDIR || number == EPERM) {
    if (guarded_rmdir(path) == 0) return true;
    if (errno != ENOTDIR) number = errno;
  }
  return file_error(e, "remove", path, number);
}
