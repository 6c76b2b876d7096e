#include "core/file/file_target.h"

#include "core/file/file.h"
#include "core/file/file_place.h"
#include "core/file/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NAME_ATTEMPTS = 100 /* at making a name for a temporary file */ };

static bool failed(const file_target *t, int number, error *e)
{
  return file_error(e, "write", t->path, number);
}

static int open_for_writing(const char *path, int flags, mode_t mode)
{
  return guarded_open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags, mode);
}

/* Makes and opens a file of a new name in the folder of the place. */
static bool open_temporary(file_target *t, mode_t mode, error *e)
{
  const char *slash = strrchr(t->place, '/');
  int folder = slash ? (int)(slash - t->place + 1) : 0;
  int number = EEXIST;
  for (int i = 0; i < MAX_NAME_ATTEMPTS && number == EEXIST; i++) {
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) < 0) return failed(t, errno, e);
    /* A short name of its own: the file's name with something added could be too long. */
    if (asprintf(&t->temporary, "%.*s.lurcher-%016llx", folder, t->place, (unsigned long long)random) < 0) {
      t->temporary = NULL;
      return failed(t, ENOMEM, e);
    }
    t->fd = open_for_writing(t->temporary, O_EXCL, mode);
    if (t->fd >= 0) return true;
    number = errno;
    free(t->temporary);
    t->temporary = NULL;
  }
  return failed(t, number, e);
}

/* Owner, group and mode of the file it will replace; owner and group only where this is allowed. In this
 * order: the group's rights are given when the group is the right one. */
static bool copy_attributes(const file_target *t, const file_place *old, error *e)
{
  if (fchown(t->fd, old->user, old->group) != 0) {
    int ignored = fchown(t->fd, (uid_t)-1, old->group);
    (void)ignored;
  }
  return t->is_private || fchmod(t->fd, old->mode) == 0 || failed(t, errno, e);
}

static bool open_atomic(file_target *t, error *e)
{
  file_place place;
  int number = file_place_find(t->path, &place);
  if (number) return failed(t, number, e);
  t->place = place.path;
  switch (place.kind) {
  case FILE_PLACE_NEW:
    return open_temporary(t, t->is_private ? 0600 : 0666, e);
  case FILE_PLACE_REGULAR: /* nobody may read the new bytes who may not read the old ones */
    return open_temporary(t, t->is_private ? 0600 : place.mode & 0700, e) && copy_attributes(t, &place, e);
  case FILE_PLACE_DIRECT:
    t->fd = file_place_open(&place);
  }
  return t->fd >= 0 || failed(t, errno, e);
}

bool file_target_open(file_target *t, const char *path, file_mode mode, bool is_private, error *e)
{
  *t = (file_target){.fd = -1, .path = strdup(path), .is_private = is_private};
  if (!t->path) return file_error(e, "write", path, ENOMEM);
  bool ok;
  if (mode == FILE_ATOMIC) {
    ok = open_atomic(t, e);
  } else {
    t->fd = open_for_writing(path, mode == FILE_APPEND ? O_APPEND : O_TRUNC, 0666);
    ok = t->fd >= 0 || failed(t, errno, e);
  }
  if (!ok) file_target_discard(t);
  return ok;
}

static bool open_nameless(file_target *t, int *reading, error *e)
{
  file_place place;
  int number = file_place_find(t->path, &place);
  if (number) return failed(t, number, e);
  t->place = place.path;
  if (place.kind == FILE_PLACE_DIRECT) return failed(t, ESPIPE, e);
  if (!open_temporary(t, 0600, e)) return false;
  *reading = guarded_open(t->temporary, O_RDONLY | O_CLOEXEC, 0);
  if (*reading < 0 || guarded_unlink(t->temporary) != 0) return failed(t, errno, e);
  free(t->temporary);
  t->temporary = NULL;
  return true;
}

bool file_target_open_spool(file_target *t, const char *path, int *reading, error *e)
{
  *reading = -1;
  *t = (file_target){.fd = -1, .path = strdup(path)};
  if (!t->path) return file_error(e, "write", path, ENOMEM);
  if (open_nameless(t, reading, e)) return true;
  if (*reading >= 0) close(*reading);
  *reading = -1;
  file_target_discard(t);
  return false;
}

bool file_target_commit(file_target *t, error *e)
{
  bool ok = true;
  /* Before the rename: otherwise a crash of the machine could leave the new name on an empty file. */
  if (t->temporary && fsync(t->fd) != 0 && errno != EINVAL) ok = failed(t, errno, e);
  if (close(t->fd) != 0 && ok) ok = failed(t, errno, e);
  t->fd = -1;
  if (ok && t->temporary) {
    ok = guarded_rename(t->temporary, t->place, 0) == 0 || failed(t, errno, e);
    if (ok) {
      free(t->temporary);
      t->temporary = NULL;
    }
  }
  file_target_discard(t);
  return ok;
}

void file_target_discard(file_target *t)
{
  if (!t->path) return;
  if (t->fd >= 0) close(t->fd);
  if (t->temporary) guarded_unlink(t->temporary);
  free(t->temporary);
  free(t->place);
  free(t->path);
  *t = (file_target){.fd = -1};
}

bool file_write(const char *path, const buffer *data, bool is_private, job *j, error *e)
{
  file_target t;
  if (!file_target_open(&t, path, FILE_ATOMIC, is_private, e)) return false;
  if (file_write_all(t.fd, path, data->bytes, data->length, j, e)) {
    if (!job_stopped(j)) return file_target_commit(&t, e);
    error_set(e, ERROR_canceled, NULL, "the work was stopped");
  }
  file_target_discard(&t);
  return false;
}
