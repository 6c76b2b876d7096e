#include "core/file/file_reader.h"

#include "core/container_of.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024 };

static file_reader *reader_of(job *j) { return container_of(j, file_reader, job); }

file_reader *file_reader_new(int fd, const char *path, loop *l)
{
  file_reader *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->path = strdup(path);
  if (!r->path) {
    free(r);
    return NULL;
  }
  r->fd = fd;
  r->loop = l;
  r->references = 1;
  r->step = CHUNK;
  r->ok = true;
  return r;
}

void file_reader_ref(file_reader *r) { r->references++; }

void file_reader_unref(file_reader *r)
{
  if (--r->references > 0) return;
  if (r->fd >= 0) close(r->fd);
  buffer_free(&r->bytes);
  free(r->path);
  free(r);
}

/* ---- waiting for bytes ---- */

static void read_work(job *base)
{
  file_reader *r = reader_of(base);
  r->incoming.ok = file_read_some(r->fd, r->path, r->step, &r->incoming.room, &r->incoming.got,
                                  &r->incoming.later, base, &r->incoming.error);
}

static void on_read_done(job *base);

static void start_read(file_reader *r)
{
  /* Here and not in the job, because tasks may take bytes while it runs. */
  size_t left = r->bytes.length - r->taken;
  if (left && r->taken) memmove(r->bytes.bytes, r->bytes.bytes + r->taken, left);
  r->bytes.length = left;
  r->scanned -= r->taken;
  r->taken = 0;
  if (!buffer_reserve(&r->bytes, r->step)) {
    r->ok = file_error(&r->error, "read", r->path, ENOMEM);
    operation_complete(&r->operation);
    return;
  }
  r->incoming.room = (buffer){.bytes = r->bytes.bytes + r->bytes.length, .capacity = r->step};
  r->incoming.got = 0;
  r->incoming.later = false;
  file_reader_ref(r);
  job_start(&r->job, r->loop->uv, read_work, on_read_done);
}

static void on_read_done(job *base)
{
  file_reader *r = reader_of(base);
  if (r->closed) {
    close(r->fd);
    r->fd = -1;
  } else if (r->incoming.later || (job_stopped(base) && r->incoming.got == 0)) {
    /* Nothing came, or nobody waited any more. From the end of the queue again: a few silent pipes must not
     * occupy the whole pool. */
    if (r->operation.state == OPERATION_PENDING) start_read(r);
  } else {
    r->bytes.length += r->incoming.got;
    r->ok = r->incoming.ok;
    if (!r->ok) r->error = r->incoming.error;
    r->end = r->ok && r->incoming.got == 0;
    operation_complete(&r->operation); /* does nothing when no task waits */
  }
  file_reader_unref(r);
}

static void abandon_read(operation *op)
{
  file_reader *r = container_of(op, file_reader, operation);
  if (r->job.running) job_stop(&r->job);
  file_reader_unref(r);
}

static const operation_class read_class = {.name = "file", .abandon = abandon_read};

bool file_reader_wait(file_reader *r)
{
  if (r->operation.state != OPERATION_IDLE) return false;
  operation_begin(&r->operation, &read_class, r->loop, true);
  operation_is_job(&r->operation);
  file_reader_ref(r);
  if (!r->ok || r->end || r->closed)
    operation_complete(&r->operation);
  else if (!r->job.running)
    start_read(r);
  return true;
}

void file_reader_end_wait(file_reader *r)
{
  operation_reset(&r->operation);
  file_reader_unref(r);
}

void file_reader_close(file_reader *r)
{
  if (r->closed) return;
  r->closed = true;
  r->taken = r->scanned = r->bytes.length;
  if (r->job.running) {
    job_stop(&r->job);
  } else {
    close(r->fd);
    r->fd = -1;
  }
  if (r->operation.state == OPERATION_PENDING) operation_complete(&r->operation);
}

/* ---- taking them ---- */

file_take file_reader_take(file_reader *r, size_t max, const char **bytes, size_t *length)
{
  size_t left = r->bytes.length - r->taken;
  if (left == 0) return FILE_TAKE_NONE;
  *bytes = r->bytes.bytes + r->taken;
  *length = left < max ? left : max;
  r->taken += *length;
  r->scanned = r->taken;
  return FILE_TAKE_SOME;
}

file_take file_reader_take_line(file_reader *r, size_t max, const char **bytes, size_t *length)
{
  const char *start = r->bytes.bytes + r->taken;
  size_t left = r->bytes.length - r->taken, searched = r->scanned - r->taken;
  if (left == 0) return FILE_TAKE_NONE;
  const char *end = memchr(start + searched, '\n', left - searched);
  if (!end) {
    r->scanned = r->bytes.length;
    if (left > max) return FILE_TAKE_LONG;
    if (!r->end) return FILE_TAKE_NONE;
  }
  size_t line = end ? (size_t)(end - start) : left;
  size_t whole = end ? line + 1 : left;
  if (end && line > 0 && start[line - 1] == '\r') line--;
  if (line > max) return FILE_TAKE_LONG;
  *bytes = start;
  *length = line;
  r->taken += whole;
  r->scanned = r->taken;
  return FILE_TAKE_SOME;
}

bool file_reader_seek(file_reader *r, uint64_t offset, size_t step)
{
  if (r->closed || r->job.running || r->operation.state != OPERATION_IDLE) return false;
  if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0) return false;
  r->bytes.length = r->taken = r->scanned = 0;
  r->end = false;
  r->step = step < CHUNK ? step : CHUNK;
  return true;
}
