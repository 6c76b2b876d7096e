#include "core/file/file_writer.h"

#include "core/file/file.h"

#include <stddef.h>
#include <stdlib.h>

/* A buffer that one huge piece made larger than this is given back. */
enum { MAX_KEPT = 4 * FILE_WRITER_FULL };

static file_writer *writer_of(job *j) { return container_of(j, file_writer, job); }

file_writer *file_writer_new(file_target *target, loop *l)
{
  file_writer *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  w->target = *target;
  *target = (file_target){.fd = -1};
  w->loop = l;
  w->references = 1;
  w->ok = true;
  w->start = FILE_WRITER_START;
  w->full = FILE_WRITER_FULL;
  list_init(&w->waits);
  return w;
}

void file_writer_ref(file_writer *w) { w->references++; }

void file_writer_unref(file_writer *w)
{
  if (--w->references > 0) return;
  file_target_discard(&w->target);
  buffer_free(&w->filling);
  buffer_free(&w->writing);
  sha256_free(w->hash);
  free(w);
}

bool file_writer_hash(file_writer *w, uint64_t max)
{
  w->hash = sha256_new();
  w->max_hashed = max;
  return w->hash;
}

/* ---- the job ---- */

static void hash_written(file_writer *w)
{
  if (w->written + w->writing.length <= w->max_hashed) { /* `written` stands still while the job runs */
    sha256_add(w->hash, w->writing.bytes, w->writing.length);
    return;
  }
  sha256_free(w->hash);
  w->hash = NULL;
}

static void write_work(job *base)
{
  file_writer *w = writer_of(base);
  error *e = &w->outgoing.error;
  w->outgoing.ok = w->outgoing.discard ||
                   file_write_all(w->target.fd, w->target.path, w->writing.bytes, w->writing.length, base, e);
  if (w->outgoing.ok && w->hash && w->writing.length) hash_written(w);
  if (!w->outgoing.finish) return;
  if (w->outgoing.ok && !w->outgoing.discard)
    w->outgoing.ok = file_target_commit(&w->target, e);
  else
    file_target_discard(&w->target);
}

static void on_write_done(job *base);

static void start_write(file_writer *w)
{
  if (w->writing.capacity > MAX_KEPT || w->writing.capacity > 2 * w->full) buffer_free(&w->writing);
  buffer empty = w->writing;
  empty.length = 0;
  w->writing = w->filling;
  w->filling = empty;
  w->outgoing.finish = w->state == FILE_WRITER_CLOSING;
  w->outgoing.discard = w->discard || !w->ok;
  w->references++;
  job_start(&w->job, w->loop->uv, write_work, on_write_done);
}

static bool wait_over(const file_wait *wait)
{
  const file_writer *w = wait->writer;
  if (w->state == FILE_WRITER_CLOSED) return true;
  return wait->until != UINT64_MAX && (w->written >= wait->until || !w->ok);
}

static bool has_work(const file_writer *w)
{
  if (w->state == FILE_WRITER_CLOSING) return true;
  return w->ok && (w->filling.length >= w->start || w->wanted > w->written);
}

static void on_write_done(job *base)
{
  file_writer *w = writer_of(base);
  if (!w->orphaned) {
    if (w->outgoing.ok) w->written += w->writing.length;
    if (w->ok && !w->outgoing.ok) {
      w->ok = false;
      w->error = w->outgoing.error;
    }
    if (w->outgoing.finish) {
      w->state = FILE_WRITER_CLOSED;
      buffer_free(&w->filling);
      buffer_free(&w->writing);
    } else if (has_work(w)) {
      start_write(w);
    }
    list_each (link, &w->waits) {
      file_wait *wait = container_of(link, file_wait, link);
      if (wait_over(wait)) operation_complete(&wait->operation);
    }
    if (w->on_room && file_writer_roomy(w)) w->on_room(w->user);
  }
  file_writer_unref(w);
}

/* ---- for the loop's thread ---- */

bool file_writer_append(file_writer *w, const char *bytes, size_t length)
{
  if (!buffer_append(&w->filling, bytes, length)) return false;
  w->appended += length;
  if (!w->job.running && has_work(w)) start_write(w);
  return true;
}

void file_writer_flush(file_writer *w)
{
  w->wanted = w->appended;
  if (w->state == FILE_WRITER_OPEN && !w->job.running && has_work(w)) start_write(w);
}

void file_writer_close(file_writer *w, bool discard)
{
  if (w->state != FILE_WRITER_OPEN) return;
  w->state = FILE_WRITER_CLOSING;
  w->discard = discard;
  if (!w->job.running) start_write(w);
}

void file_writer_drop(file_writer *w)
{
  w->orphaned = true;
  if (w->job.running && w->state == FILE_WRITER_OPEN) job_stop(&w->job);
  file_writer_unref(w);
}

static void free_wait(file_wait *wait)
{
  file_writer *w = wait->writer;
  list_remove(&wait->link);
  file_writer_unref(w);
  free(wait);
}

static void abandon_wait(operation *op) { free_wait(container_of(op, file_wait, operation)); }

static const operation_class wait_class = {.name = "file", .abandon = abandon_wait};

file_wait *file_writer_wait(file_writer *w, file_wait_for what)
{
  file_wait *wait = calloc(1, sizeof *wait);
  if (!wait) return NULL;
  wait->writer = w;
  wait->until = what == FILE_WAIT_CLOSED ? UINT64_MAX : w->appended;
  if (what == FILE_WAIT_ROOM) wait->until = w->appended > w->full ? w->appended - w->full : 0;
  list_append(&w->waits, &wait->link);
  w->references++;
  operation_begin(&wait->operation, &wait_class, w->loop, true);
  operation_is_job(&wait->operation);
  if (what == FILE_WAIT_FLUSHED) file_writer_flush(w);
  if (wait_over(wait)) operation_complete(&wait->operation);
  return wait;
}

bool file_wait_end(file_wait *wait, error *e)
{
  bool ok = wait->writer->ok;
  if (!ok) *e = wait->writer->error;
  operation_reset(&wait->operation);
  free_wait(wait);
  return ok;
}
