#include "core/file/file_job.h"

#include "core/container_of.h"
#include "core/file/file.h"
#include "core/file/file_copy.h"
#include "core/file/file_part.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static file_job *job_of(job *j) { return container_of(j, file_job, job); }

static bool find_place(file_job *j)
{
  file_place place;
  int number = file_place_find(j->path, &place);
  if (number) return file_error(&j->error, "write", j->path, number);
  bool ok = buffer_append(&j->data, place.path, strlen(place.path));
  j->kind = place.kind;
  free(place.path);
  return ok || file_error(&j->error, "write", j->path, ENOMEM);
}

/* On a pool thread. */
static void job_work(job *base)
{
  file_job *j = job_of(base);
  switch (j->action) {
  case FILE_JOB_READ:
    j->ok = file_read(j->path, j->max, &j->data, &j->permissions, base, &j->error);
    break;
  case FILE_JOB_WRITE:
    j->ok = file_write(j->path, &j->data, j->flag, base, &j->error);
    break;
  case FILE_JOB_APPEND:
    j->ok = file_append(j->path, &j->data, base, &j->error);
    break;
  case FILE_JOB_EXISTS:
    j->ok = file_exists(j->path, &j->flag, &j->error);
    break;
  case FILE_JOB_LIST:
    j->ok = directory_list(j->path, j->flag, &j->listing, base, &j->error);
    break;
  case FILE_JOB_MAKE:
    j->ok = directory_make(j->path, j->flag, &j->error);
    break;
  case FILE_JOB_REMOVE:
    j->ok = directory_remove(j->path, j->flag, base, &j->error);
    break;
  case FILE_JOB_RENAME:
    j->ok = file_rename(j->path, j->data.bytes, &j->error);
    break;
  case FILE_JOB_COPY:
    j->ok = file_copy(j->path, j->data.bytes, base, &j->error);
    break;
  case FILE_JOB_LOCK:
    j->ok = file_lock_take(&j->lock, j->path, j->flag, base, &j->error);
    break;
  case FILE_JOB_OPEN_READER:
    j->fd = file_open(j->path, &j->error);
    j->ok = j->fd >= 0;
    break;
  case FILE_JOB_OPEN_BENEATH:
    j->ok = file_beneath_open(&j->beneath, j->path, j->data.bytes, &j->error);
    break;
  case FILE_JOB_LOOK:
    j->ok = file_range_look(&j->range, j->path, j->range.offset, j->range.length, &j->error);
    break;
  case FILE_JOB_OPEN_TARGET:
    j->ok = file_target_open(&j->target, j->path, j->mode, j->flag, &j->error);
    break;
  case FILE_JOB_OPEN_SPOOL:
    j->ok = file_target_open_spool(&j->target, j->path, &j->fd, &j->error);
    break;
  case FILE_JOB_FIND_PLACE:
    j->ok = find_place(j);
    break;
  case FILE_JOB_OPEN_PART:
    j->ok = file_part_open(&j->target, j->path, j->offset, j->flag, &j->error);
    break;
  case FILE_JOB_MEASURE:
    j->ok = file_part_measure(j->path, &j->size, &j->error);
    break;
  case FILE_JOB_COMPLETE:
    j->ok = file_part_complete(j->path, j->data.bytes, j->flag, &j->error);
    break;
  case FILE_JOB_HASH:
    j->ok = file_part_hash(j->path, &j->data, base, &j->error);
    break;
  }
}

static void on_job_done(job *base)
{
  file_job *j = job_of(base);
  if (j->abandoned)
    file_job_free(j);
  else
    operation_complete(&j->operation);
}

/* While the pool is at work on it, on_job_done must free it; the loop is not touched there, it may be gone by
 * then. */
static void abandon_job(operation *op)
{
  file_job *j = container_of(op, file_job, operation);
  if (!j->job.running) {
    file_job_free(j);
    return;
  }
  j->abandoned = true;
  job_stop(&j->job);
}

static const operation_class job_class = {.name = "file", .abandon = abandon_job};

file_job *file_job_new(file_action action, const char *path, const char *data, size_t length)
{
  file_job *j = calloc(1, sizeof *j);
  if (!j) return NULL;
  j->action = action;
  j->fd = -1;
  j->beneath.fd = j->lock.fd = j->range.fd = -1;
  j->path = strdup(path);
  if (j->path && (!data || buffer_append(&j->data, data, length))) return j;
  file_job_free(j);
  return NULL;
}

void file_job_start(file_job *j, loop *l)
{
  operation_begin(&j->operation, &job_class, l, true);
  operation_is_job(&j->operation);
  job_start(&j->job, l->uv, job_work, on_job_done);
}

void file_job_free(file_job *j)
{
  if (j->fd >= 0) close(j->fd);
  if (j->beneath.fd >= 0) close(j->beneath.fd);
  file_target_discard(&j->target);
  file_lock_release(&j->lock);
  file_range_free(&j->range);
  directory_listing_free(&j->listing);
  buffer_free(&j->data);
  free(j->path);
  free(j);
}
