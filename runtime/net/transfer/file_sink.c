#include "net/transfer/file_sink.h"

#include "net/transfer/transfer_body.h"

#include <stdlib.h>

/* What writers may hold: shared by the transfers that run; each has its minimum above that. */
enum {
  SINKS_LIMIT = 4 * 1024 * 1024,
  MAX_HELD = 1024 * 1024,
  MIN_HELD =
      48 * 1024, /* with the piece that fills it, 64 KiB: the size of a buffer that grows by doubling */
  MIN_WRITTEN = 32 * 1024,
};

/* What came is written so soon, however little it is: a process that is killed loses no more than that. */
static const uint64_t MAX_DELAY = 50 * MILLISECOND;

typedef struct {
  body_sink sink;
  timer delay;         /* runs while something is not written */
  file_writer *writer; /* counted */
  transfer *transfer;
  file_sink_limit limit;
  uint64_t came;
} file_sink;

static void on_delay_over(timer *delay)
{
  file_sink *s = container_of(delay, file_sink, delay);
  file_writer_flush(s->writer);
}

static void write_soon(file_sink *s)
{
  loop *l = s->transfer->pool->network->loop;
  if (timer_active(&s->delay)) return;
  clock_start(&l->real, &s->delay, clock_now(&l->real) + MAX_DELAY,
              on_delay_over); /* else: when it is more */
}

static bool sink_write(body_sink *sink, const char *bytes, size_t length, error *e)
{
  file_sink *s = container_of(sink, file_sink, sink);
  file_writer *w = s->writer;
  if (length > s->limit.most - s->came) {
    error_set(e, s->limit.when_more, "read", "more than the expected %llu bytes came",
              (unsigned long long)s->limit.most);
    e->limit = (double)s->limit.most;
  } else if (w->state != FILE_WRITER_OPEN) {
    error_set(e, ERROR_file, NULL, "the file was closed while it was written");
  } else if (!w->ok) {
    *e = w->error;
  } else if (!file_writer_append(w, bytes, length)) {
    error_set(e, ERROR_limit, NULL, "out of memory");
  } else {
    s->came += length;
    write_soon(s);
    return true;
  }
  return false;
}

static bool sink_is_full(const body_sink *sink)
{
  return file_writer_full(container_of(sink, const file_sink, sink)->writer);
}

static bool sink_has_room(const body_sink *sink)
{
  return file_writer_roomy(container_of(sink, const file_sink, sink)->writer);
}

static void sink_release(body_sink *sink)
{
  file_sink *s = container_of(sink, file_sink, sink);
  timer_stop(&s->delay);
  s->writer->on_room = NULL;
  file_writer_unref(s->writer);
  free(s);
}

static void on_room(void *user)
{
  file_sink *s = user;
  transfer_go_on(s->transfer, s->writer->ok ? NULL : &s->writer->error);
}

static void share_memory(file_writer *w, size_t running)
{
  w->full = SINKS_LIMIT / (running ? running : 1);
  if (w->full > MAX_HELD) w->full = MAX_HELD;
  if (w->full < MIN_HELD) w->full = MIN_HELD;
  w->start = w->full / 4 > MIN_WRITTEN ? w->full / 4 : MIN_WRITTEN;
}

bool transfer_pour_into_file(transfer *t, file_writer *w, const file_sink_limit *limit)
{
  file_sink *s = calloc(1, sizeof *s);
  if (!s) return false;
  s->sink = (body_sink){sink_write, sink_is_full, sink_has_room, sink_release};
  s->transfer = t;
  s->limit = *limit;
  file_writer_ref(s->writer = w);
  w->on_room = on_room;
  w->user = s;
  share_memory(w, t->pool->network->running);
  transfer_pour(t, &s->sink);
  return true;
}
