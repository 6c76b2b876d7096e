#include "core/file/file_source.h"

#include "core/container_of.h"
#include "core/file/file.h"
#include "core/file/guarded.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  SOURCE_PIECE = 256 * 1024,
  STARVED_MS = 20,  /* between two tries to open, when there is no descriptor … */
  MAX_STARVED = 250 /* … and how many there are */
};

/* What a job brings. */
typedef struct {
  buffer bytes;
  bool ok, end, later;
  error error; /* when not ok */
} piece;

struct file_source {
  job job;
  loop *loop;
  file_range range, *origin;
  int fd;             /* -1: not open yet */
  bool opens;         /* it can be opened anew */
  unsigned starved;   /* how often there was no descriptor for it */
  uint64_t position;  /* in the range: where the next job reads */
  piece given, ahead; /* being taken; for the job while it runs, else full or empty */
  size_t taken;       /* of `given` */
  bool is_ahead;      /* `ahead` is full */
  bool ended;         /* no further job is needed */
  bool began, waited_for, rewound, closed;
  bool prepares, prepared, exact, opens_now; /* see file_source_prepare */
  void (*on_more)(void *user);
  void *user;
};

file_source *file_source_new(file_range *range, loop *l, void (*on_more)(void *user), void *user)
{
  file_source *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  if (!file_range_take(&s->range, range)) {
    free(s);
    return NULL;
  }
  s->origin = range;
  s->fd = s->range.fd;
  s->opens = s->fd < 0;
  s->given.ok = true;
  s->loop = l;
  s->on_more = on_more;
  s->user = user;
  return s;
}

static void free_really(file_source *s)
{
  s->range.fd = s->fd; /* it closes that */
  file_range_free(&s->range);
  buffer_free(&s->given.bytes);
  buffer_free(&s->ahead.bytes);
  free(s);
}

/* ---- on a pool thread ---- */

static bool became_shorter(file_source *s, uint64_t got)
{
  error_set(&s->ahead.error, ERROR_file, NULL, "cannot read '%.*s%s': it ended after %llu of %llu bytes",
            SHORTENED(guarded_name(s->range.path), 300), (unsigned long long)got,
            (unsigned long long)s->range.length);
  return false;
}

static bool read_file(file_source *s, size_t wanted)
{
  piece *p = &s->ahead;
  while (p->bytes.length < wanted) {
    off_t place = (off_t)(s->range.offset + s->position + p->bytes.length);
    ssize_t n = pread(s->fd, p->bytes.bytes + p->bytes.length, wanted - p->bytes.length, place);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(&p->error, "read", s->range.path, errno);
    if (n == 0) return became_shorter(s, s->position + p->bytes.length);
    p->bytes.length += (size_t)n;
  }
  return true;
}

static bool read_stream(file_source *s, size_t wanted)
{
  size_t got = 0;
  piece *p = &s->ahead;
  if (!file_read_some(s->fd, s->range.path, wanted, &p->bytes, &got, &p->later, &s->job, &p->error))
    return false;
  p->end = got == 0 && !p->later;
  if (p->end && s->range.length != FILE_TO_THE_END && s->position < s->range.length)
    return became_shorter(s, s->position);
  return true;
}

static bool is_starved(const piece *p)
{
  const char *code = p->error.code;
  return !p->ok && code && (!strcmp(code, "EMFILE") || !strcmp(code, "ENFILE"));
}

/* The ends of other requests give descriptors back. */
static bool may_open_later(file_source *s)
{
  if (!is_starved(&s->ahead) || s->starved >= MAX_STARVED) return false;
  s->starved++;
  poll(NULL, 0, STARVED_MS);
  return true;
}

static void close_plain(file_source *s)
{
  if (s->opens && s->fd >= 0) close(s->fd);
  if (s->opens) s->fd = -1;
}

static bool prepare(file_source *s)
{
  error *e = &s->given.error;
  close_plain(s);
  if (!s->exact && !file_range_renew(&s->range, e)) return false;
  if (s->opens_now) s->fd = file_range_open(&s->range, e);
  return !s->opens_now || s->fd >= 0;
}

static void prepare_work(job *base)
{
  file_source *s = container_of(base, file_source, job);
  s->given.ok = prepare(s);
}

static bool fill(file_source *s)
{
  piece *p = &s->ahead;
  uint64_t left = s->range.length - s->position;
  size_t wanted = left < SOURCE_PIECE ? (size_t)left : SOURCE_PIECE;
  if (s->fd < 0) s->fd = file_range_open(&s->range, &p->error);
  if (s->fd < 0) return p->later = may_open_later(s);
  if (!buffer_reserve(&p->bytes, wanted)) return file_error(&p->error, "read", s->range.path, ENOMEM);
  if (wanted && !(s->opens ? read_file(s, wanted) : read_stream(s, wanted))) return false;
  if (p->bytes.length < left) return true;
  p->end = true;
  if (!s->opens) return true;
  bool same = file_range_is_same(&s->range, s->fd, &p->error);
  close_plain(s); /* others may need the descriptor before the request's end */
  return same;
}

static void work(job *base)
{
  file_source *s = container_of(base, file_source, job);
  s->ahead.ok = fill(s);
}

/* ---- on the loop's ---- */

static void on_read(job *base);

static void begin_job(file_source *s, job_fn on_thread, job_fn done)
{
  s->loop->jobs++;
  job_start(&s->job, s->loop->uv, on_thread, done);
}

static void read_ahead(file_source *s)
{
  s->ahead.bytes.length = 0;
  s->ahead.ok = s->ahead.end = s->ahead.later = false;
  s->began = true;
  begin_job(s, work, on_read);
}

/* What a job has read becomes what is given, and the next job reads on. */
static void go_on(file_source *s)
{
  piece empty = s->given;
  s->given = s->ahead;
  s->ahead = empty;
  s->taken = 0;
  s->is_ahead = false;
  if (!s->ended) read_ahead(s);
}

/* A job is over. False: so is the source, and it is freed. */
static bool end_job(file_source *s)
{
  if (!s->closed) {
    s->loop->jobs--;
    return true;
  }
  free_really(s); /* the loop may be gone */
  return false;
}

static void tell(file_source *s)
{
  if (!s->waited_for) return;
  s->waited_for = false;
  s->on_more(s->user);
}

static void on_prepared(job *base)
{
  file_source *s = container_of(base, file_source, job);
  if (!end_job(s)) return;
  s->prepares = false;
  s->prepared = true;
  if (s->given.ok) {
    s->origin->length = s->range.length;
    s->origin->seen = s->range.seen;
  }
  tell(s);
}

/* The job read what nobody wants now. */
static void start_over(file_source *s)
{
  s->rewound = false;
  s->position = 0;
  if (s->prepares)
    begin_job(s, prepare_work, on_prepared);
  else
    read_ahead(s);
}

static void on_read(job *base)
{
  file_source *s = container_of(base, file_source, job);
  if (!end_job(s)) return;
  if (s->rewound) {
    start_over(s);
    return;
  }
  if (s->ahead.ok && s->ahead.later) {
    read_ahead(s);
    return;
  }
  s->position += s->ahead.bytes.length;
  s->is_ahead = true;
  s->ended = !s->ahead.ok || s->ahead.end;
  tell(s);
}

file_source_state file_source_prepare(file_source *s, bool exact, bool opens)
{
  if (!s->opens || s->prepared) return s->given.ok ? FILE_SOURCE_END : FILE_SOURCE_FAILED;
  s->exact = exact;
  s->opens_now = opens;
  s->prepares = s->waited_for = true;
  if (!s->job.running) begin_job(s, prepare_work, on_prepared);
  return FILE_SOURCE_LATER;
}

void file_source_rest(file_source *s)
{
  if (!s->opens) return;
  s->prepared = false;
  if (!s->job.running) close_plain(s);
}

uint64_t file_source_length(const file_source *s) { return s->range.length; }

bool file_source_is_starved(const file_source *s) { return is_starved(&s->given); }

file_source_state file_source_read(file_source *s, char *to, size_t room, size_t *got)
{
  piece *p = &s->given;
  if (s->taken == p->bytes.length && s->is_ahead) go_on(s);
  if (s->taken < p->bytes.length && p->ok) {
    size_t left = p->bytes.length - s->taken;
    *got = left < room ? left : room;
    memcpy(to, p->bytes.bytes + s->taken, *got);
    s->taken += *got;
    return FILE_SOURCE_BYTES;
  }
  if (!p->ok) return FILE_SOURCE_FAILED;
  if (p->end) {
    buffer_free(&p->bytes); /* many may follow it */
    buffer_free(&s->ahead.bytes);
    s->taken = 0;
    return FILE_SOURCE_END;
  }
  if (!s->job.running) read_ahead(s);
  s->waited_for = true;
  return FILE_SOURCE_LATER;
}

const error *file_source_failure(const file_source *s) { return &s->given.error; }

bool file_source_can_rewind(const file_source *s) { return s->opens || !s->began; }

void file_source_rewind(file_source *s)
{
  if (!s->began || !s->opens) return;
  if (!s->job.running) s->position = 0; /* else the job uses it */
  s->taken = s->given.bytes.length = 0;
  s->given.ok = true;
  s->given.end = s->is_ahead = s->ended = s->waited_for = false;
  s->rewound = s->job.running;
}

void file_source_free(file_source *s)
{
  if (!s) return;
  s->closed = true;
  if (!s->job.running) {
    free_really(s);
    return;
  }
  s->loop->jobs--;
  job_stop(&s->job);
}
