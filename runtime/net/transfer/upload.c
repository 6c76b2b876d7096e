#include "net/transfer/upload.h"

#include "core/container_of.h"

#include <stdlib.h>
#include <string.h>

enum {
  WORTH_SENDING = 16 * 1024, /* bytes that a quick producer puts before they are sent */
  KEPT_MEMORY = 64 * 1024,   /* of what was produced, once it is sent */
};

typedef enum { PART_BYTES, PART_FILE, PART_PRODUCER } part_kind;

struct upload_part {
  part_kind kind;
  bool ended;        /* a producer's: it has put all */
  const char *bytes; /* PART_BYTES */
  char *own;         /* `bytes` when they are a copy */
  size_t length;
  file_source *file; /* PART_FILE */
};

/* ---- life ---- */

static void on_deferred(deferred *d)
{
  upload *u = container_of(d, upload, more);
  if (u->on_more) u->on_more(u->user);
}

upload *upload_new(loop *l)
{
  upload *u = calloc(1, sizeof *u);
  if (!u) return NULL;
  u->references = 1;
  u->loop = l;
  u->more.run = on_deferred;
  return u;
}

static upload_part *add_part(upload *u, part_kind kind)
{
  if (!(u->count & (u->count - 1))) { /* a power of two: full */
    upload_part *more = realloc(u->parts, (u->count ? u->count * 2 : 1) * sizeof *more);
    if (!more) return NULL;
    u->parts = more;
  }
  upload_part *p = &u->parts[u->count];
  *p = (upload_part){.kind = kind};
  u->count++;
  return p;
}

static void add_length(upload *u, uint64_t length)
{
  if (length > (uint64_t)INT64_MAX - (uint64_t)(u->length < 0 ? 0 : u->length))
    u->length = -1;
  else if (u->length >= 0)
    u->length += (int64_t)length;
}

upload *upload_of_bytes(const char *bytes, size_t length, loop *l)
{
  upload *u = upload_new(l);
  upload_part *p = u ? add_part(u, PART_BYTES) : NULL;
  if (!p) {
    free(u);
    return NULL;
  }
  p->bytes = bytes;
  p->length = length;
  add_length(u, length);
  return u;
}

/* False: the runtime's limit leaves no more. */
static bool note_memory(upload *u)
{
  return memory_account_change(&u->loop->memory, &u->held, u->own + u->produced.all.capacity);
}

static bool own(upload *u, upload_part *p)
{
  if (p->own || !p->length) return true;
  if (!memory_account_leaves(&u->loop->memory, p->length)) return false;
  p->own = malloc(p->length);
  if (!p->own) return false;
  memcpy(p->own, p->bytes, p->length);
  p->bytes = p->own;
  u->own += p->length;
  note_memory(u);
  return true;
}

bool upload_keep(upload *u)
{
  for (size_t i = 0; i < u->count; i++)
    if (!own(u, &u->parts[i])) return false;
  return true;
}

void upload_ref(upload *u) { u->references++; }

void upload_unref(upload *u)
{
  if (!u || --u->references) return;
  loop_undefer(u->loop, &u->more);
  for (size_t i = 0; i < u->count; i++) {
    file_source_free(u->parts[i].file);
    free(u->parts[i].own);
  }
  free(u->parts);
  byte_queue_free(&u->produced);
  u->own = 0;
  note_memory(u);
  free(u);
}

/* ---- parts ---- */

bool upload_add_bytes(upload *u, const char *bytes, size_t length)
{
  upload_part *p = add_part(u, PART_BYTES);
  if (!p) return false;
  p->bytes = bytes;
  p->length = length;
  add_length(u, length);
  if (own(u, p)) return true;
  p->length = 0;
  return false;
}

static void on_file(void *user)
{
  upload *u = user;
  if (u->on_more) u->on_more(u->user);
}

bool upload_add_file(upload *u, file_range *range)
{
  upload_part *p = add_part(u, PART_FILE);
  if (!p) return false;
  p->file = file_source_new(range, u->loop, on_file, u);
  if (!p->file) return false;
  add_length(u, range->length);
  return true;
}

bool upload_add_producer(upload *u)
{
  u->length = -1;
  return add_part(u, PART_PRODUCER);
}

/* ---- its reader ---- */

void upload_begin(upload *u, void (*on_more)(void *user), void *user)
{
  u->closed = false;
  u->on_more = on_more;
  u->user = user;
}

static void measure(upload *u)
{
  u->length = 0;
  for (size_t i = 0; i < u->count; i++) {
    const upload_part *p = &u->parts[i];
    if (p->kind == PART_PRODUCER) u->length = -1;
    if (p->kind == PART_BYTES) add_length(u, p->length);
    if (p->kind == PART_FILE) add_length(u, file_source_length(p->file));
  }
}

upload_state upload_prepare(upload *u)
{
  for (; u->looked < u->count; u->looked++) {
    upload_part *p = &u->parts[u->looked];
    if (p->kind != PART_FILE) continue;
    switch (file_source_prepare(p->file, u->exact, !u->has_first)) {
    case FILE_SOURCE_LATER:
      return UPLOAD_LATER;
    case FILE_SOURCE_FAILED:
      u->failure = *file_source_failure(p->file);
      return UPLOAD_FAILED;
    default:
      u->has_first = true;
    }
  }
  measure(u);
  return UPLOAD_END;
}

bool upload_is_starved(const upload *u)
{
  return u->looked < u->count && file_source_is_starved(u->parts[u->looked].file);
}

void upload_rest(upload *u)
{
  for (size_t i = 0; i < u->count; i++)
    if (u->parts[i].file) file_source_rest(u->parts[i].file);
  u->looked = 0;
  u->has_first = false;
}

static upload_state read_bytes(upload *u, const upload_part *p, char *to, size_t room, size_t *got)
{
  size_t left = p->length - u->taken;
  *got = left < room ? left : room;
  if (*got) memcpy(to, p->bytes + u->taken, *got);
  u->taken += *got;
  return left ? UPLOAD_BYTES : UPLOAD_END;
}

static upload_state read_file(upload *u, const upload_part *p, char *to, size_t room, size_t *got)
{
  switch (file_source_read(p->file, to, room, got)) {
  case FILE_SOURCE_BYTES:
    return UPLOAD_BYTES;
  case FILE_SOURCE_LATER:
    return UPLOAD_LATER;
  case FILE_SOURCE_END:
    return UPLOAD_END;
  case FILE_SOURCE_FAILED:
    break;
  }
  upload_fail(u, file_source_failure(p->file));
  return UPLOAD_FAILED;
}

static upload_state read_produced(upload *u, const upload_part *p, char *to, size_t room, size_t *got)
{
  size_t left = byte_queue_length(&u->produced);
  *got = left < room ? left : room;
  if (left) {
    memcpy(to, byte_queue_front(&u->produced), *got);
    byte_queue_take(&u->produced, *got);
    if (*got == left && u->produced.all.capacity > KEPT_MEMORY) byte_queue_free(&u->produced);
    note_memory(u);
    u->is_used = true;
    u->is_hungry = false;
    return UPLOAD_BYTES;
  }
  if (p->ended) return UPLOAD_END;
  u->is_hungry = true;
  operation_complete(&u->room);
  return UPLOAD_LATER;
}

static upload_state read_part(upload *u, char *to, size_t room, size_t *got)
{
  const upload_part *p = &u->parts[u->current];
  if (p->kind == PART_BYTES) return read_bytes(u, p, to, room, got);
  return (p->kind == PART_FILE ? read_file : read_produced)(u, p, to, room, got);
}

upload_state upload_read(upload *u, char *to, size_t room, size_t *got)
{
  size_t filled = 0;
  upload_state state = UPLOAD_END;
  while (!u->failed && u->current < u->count && filled < room) {
    state = read_part(u, to + filled, room - filled, got);
    if (state == UPLOAD_BYTES) filled += *got;
    if (state == UPLOAD_LATER || state == UPLOAD_FAILED) break;
    if (state != UPLOAD_END) continue;
    u->current++;
    u->taken = 0;
  }
  *got = filled;
  u->given += filled;
  if (u->failed) return UPLOAD_FAILED;
  if (filled) return UPLOAD_BYTES;
  return state == UPLOAD_LATER ? UPLOAD_LATER : UPLOAD_END;
}

bool upload_ended(const upload *u)
{
  return u->length < 0 ? u->current == u->count : u->given == (uint64_t)u->length;
}

bool upload_can_rewind(const upload *u)
{
  if (u->is_used || u->failed || u->closed) return false;
  for (size_t i = 0; i < u->count; i++) {
    const upload_part *p = &u->parts[i];
    if (p->kind == PART_PRODUCER && p->ended) return false;
    if (p->kind == PART_FILE && !file_source_can_rewind(p->file)) return false;
  }
  return true;
}

bool upload_rewind(upload *u)
{
  if (!upload_can_rewind(u)) return false;
  for (size_t i = 0; i < u->count; i++)
    if (u->parts[i].file) file_source_rewind(u->parts[i].file);
  u->current = u->taken = 0;
  u->given = 0;
  u->is_hungry = false;
  return true;
}

void upload_close(upload *u)
{
  u->closed = true;
  u->on_more = NULL;
  u->is_hungry = false;
  loop_undefer(u->loop, &u->more);
  operation_complete(&u->room);
  for (size_t i = 0; i < u->count; i++) {
    file_source_free(u->parts[i].file);
    u->parts[i].file = NULL;
  }
}

/* ---- the producer ---- */

void upload_await_reader(upload *u, const operation_class *class)
{
  operation_begin(&u->room, class, u->loop, false);
  if (u->closed || upload_wants(u)) operation_complete(&u->room);
}

bool upload_wants(const upload *u) { return u->is_hungry && byte_queue_length(&u->produced) < WORTH_SENDING; }

/* After the producer's turn: it may put more, or end, without waiting. */
static void tell_reader(upload *u)
{
  if (u->is_hungry && u->on_more) loop_defer(u->loop, &u->more);
}

bool upload_put(upload *u, const char *bytes, size_t length)
{
  if (!memory_account_leaves(&u->loop->memory, length)) return false;
  if (!byte_queue_append(&u->produced, bytes, length)) return false;
  note_memory(u);
  tell_reader(u);
  return true;
}

void upload_put_end(upload *u)
{
  if (u->current < u->count) u->parts[u->current].ended = true;
  tell_reader(u);
  u->is_hungry = false;
}

void upload_fail(upload *u, const error *why)
{
  if (!u->failed) u->failure = *why;
  u->failed = true;
  tell_reader(u);
}
