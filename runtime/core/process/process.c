#include "core/process/process.h"

#include "core/file/file.h"
#include "core/file/guarded.h"
#include "core/process/process_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  uv_pipe_t pipe;
  byte_queue bytes;
  size_t kept;
  bool open, reading;
} output;

struct process {
  loop *loop;
  uv_process_t handle;
  uv_timer_t timer; /* the timeout, then the patience with a process that was told to stop */
  uv_pipe_t input;
  output outputs[PROCESS_STREAMS];
  linked_list waits;
  int references; /* the owner and each open handle */
  bool input_open, input_closing, timer_open, ended, stopping, timed_out;
  int input_error, signal;
  int64_t status;
  size_t unwritten;
};

static const uint64_t PATIENCE_MS = 1000;

static void unref(process *p)
{
  if (--p->references > 0) return;
  for (int i = 0; i < PROCESS_STREAMS; i++) byte_queue_free(&p->outputs[i].bytes);
  free(p);
}

/* ---- handles ---- */

static void opened(process *p, void *handle)
{
  ((uv_handle_t *)handle)->data = p;
  p->references++;
  loop_handle_opened(p->loop);
}

static void on_closed(uv_handle_t *handle)
{
  process *p = handle->data;
  loop_handle_closed(p->loop);
  unref(p);
}

static void close_handle(void *handle) { uv_close(handle, on_closed); }

static void close_input(process *p)
{
  if (p->input_open) close_handle(&p->input);
  p->input_open = false;
}

static void close_output(output *o)
{
  if (o->open) close_handle(&o->pipe);
  o->open = o->reading = false;
}

static void close_timer(process *p)
{
  if (p->timer_open) close_handle(&p->timer);
  p->timer_open = false;
}

/* ---- waiting ---- */

static void changed(process *p)
{
  loop_event(p->loop);
  list_link *link;
  while ((link = list_take_first(&p->waits))) operation_complete(&container_of(link, process_wait, link)->op);
}

static void abandon_wait(operation *op) { process_wait_free(container_of(op, process_wait, op)); }

process_wait *process_wait_new(process *p)
{
  static const operation_class class = {"a process", abandon_wait};
  process_wait *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  w->process = p;
  p->references++;
  operation_begin(&w->op, &class, p->loop, true);
  operation_is_job(&w->op);
  list_append(&p->waits, &w->link);
  return w;
}

void process_wait_free(process_wait *w)
{
  list_remove(&w->link);
  operation_reset(&w->op);
  unref(w->process);
  free(w);
}

/* ---- output ---- */

/* Of a variable of each thread, all would be cleared whenever a thread starts, the process's first included.
 */
static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
  enum { ROOM = 65536 };
  char *bytes = malloc(ROOM);
  (void)handle;
  (void)suggested;
  *room = uv_buf_init(bytes, bytes ? ROOM : 0);
}

static void on_bytes(uv_stream_t *stream, ssize_t length, const uv_buf_t *bytes)
{
  process *p = stream->data;
  output *o = container_of((uv_pipe_t *)stream, output, pipe);
  if (length < 0 || !byte_queue_append(&o->bytes, bytes->base, (size_t)length)) {
    close_output(o);
  } else if (byte_queue_length(&o->bytes) >= o->kept) {
    uv_read_stop(stream);
    o->reading = false;
  }
  free(bytes->base);
  if (length) changed(p);
}

static void read_on(output *o)
{
  if (!o->open || o->reading || byte_queue_length(&o->bytes) >= o->kept) return;
  o->reading = true;
  uv_read_start((uv_stream_t *)&o->pipe, give_room, on_bytes);
}

byte_queue *process_stream(process *p, int stream) { return &p->outputs[stream].bytes; }

bool process_stream_ended(const process *p, int stream) { return !p->outputs[stream].open; }

void process_take(process *p, int stream, size_t length)
{
  byte_queue_take(&p->outputs[stream].bytes, length);
  read_on(&p->outputs[stream]);
}

/* ---- input ---- */

typedef struct {
  uv_write_t request;
  size_t length;
  char bytes[];
} piece;

static void on_written(uv_write_t *request, int status)
{
  piece *w = container_of(request, piece, request);
  process *p = request->handle->data;
  p->unwritten -= w->length;
  free(w);
  if (status < 0 && status != UV_ECANCELED) {
    p->input_error = status;
    close_input(p);
  } else if (p->input_closing && p->unwritten == 0) {
    close_input(p);
  }
  changed(p);
}

bool process_write(process *p, const char *bytes, size_t length)
{
  if (!p->input_open || p->input_closing) {
    p->input_error = p->input_error ? p->input_error : UV_EPIPE;
    return true;
  }
  piece *w = malloc(sizeof *w + length);
  if (!w) return false;
  w->length = length;
  memcpy(w->bytes, bytes, length);
  uv_buf_t buffers[] = {uv_buf_init(w->bytes, (unsigned)length)};
  p->unwritten += length;
  int failed = uv_write(&w->request, (uv_stream_t *)&p->input, buffers, 1, on_written);
  if (!failed) return true;
  p->unwritten -= length;
  p->input_error = failed;
  free(w);
  return true;
}

size_t process_unwritten(const process *p) { return p->input_open ? p->unwritten : 0; }

int process_input_error(const process *p) { return p->input_error; }

void process_close_input(process *p)
{
  p->input_closing = true;
  if (p->unwritten == 0) close_input(p);
}

/* ---- the end ---- */

void process_signal(process *p, int signal)
{
  if (!p->ended) kill(-p->handle.pid, signal);
}

static void on_patience_over(uv_timer_t *due) { process_signal(due->data, SIGKILL); }

void process_stop(process *p)
{
  if (p->ended || p->stopping) return;
  p->stopping = true;
  process_signal(p, SIGTERM);
  uv_timer_start(&p->timer, on_patience_over, PATIENCE_MS, 0);
}

static void on_timeout(uv_timer_t *due)
{
  process *p = due->data;
  p->timed_out = true;
  process_stop(p);
  changed(p);
}

/* What it started and what did not heed SIGTERM with it goes, too: its group's number is not given to others
 * while one of them is left. */
static void on_ended(uv_process_t *handle, int64_t status, int signal)
{
  process *p = handle->data;
  process_registry_remove(handle->pid);
  if (p->stopping) kill(-handle->pid, SIGKILL);
  p->ended = true;
  p->status = status;
  p->signal = signal;
  close_handle(handle);
  close_timer(p);
  close_input(p);
  changed(p);
}

bool process_ended(const process *p, int64_t *status, int *signal)
{
  *status = p->status;
  *signal = p->signal;
  return p->ended;
}

bool process_timed_out(const process *p) { return p->timed_out; }

int process_id(const process *p) { return p->handle.pid; }

void process_abandon(process *p)
{
  p->stopping = true;
  process_signal(p, SIGKILL);
  close_input(p);
  for (int i = 0; i < PROCESS_STREAMS; i++) close_output(&p->outputs[i]);
  unref(p);
}

/* ---- the beginning ---- */

/* Both ends of a pipe, ours for `pipe`; the child's is `*theirs`. */
static int open_pipe(process *p, uv_pipe_t *pipe, bool is_input, int *theirs)
{
  int ends[2], ours = is_input ? 1 : 0;
  int failed = uv_pipe(ends, is_input ? 0 : UV_NONBLOCK_PIPE, is_input ? UV_NONBLOCK_PIPE : 0);
  if (failed) return failed;
  *theirs = ends[1 - ours];
  uv_pipe_init(p->loop->uv, pipe, 0);
  opened(p, pipe);
  failed = uv_pipe_open(pipe, ends[ours]);
  if (failed) close(ends[ours]);
  return failed;
}

static int open_pipes(process *p, bool has_input, int theirs[3])
{
  int failed = 0;
  if (has_input) {
    failed = open_pipe(p, &p->input, true, &theirs[0]);
    p->input_open = theirs[0] >= 0;
  }
  for (int i = 0; i < PROCESS_STREAMS && !failed; i++) {
    failed = open_pipe(p, &p->outputs[i].pipe, false, &theirs[1 + i]);
    p->outputs[i].open = theirs[1 + i] >= 0;
  }
  return failed;
}

static int spawn(process *p, const process_options *options, const int theirs[3])
{
  uv_stdio_container_t streams[3] = {{.flags = UV_IGNORE}};
  for (int i = 0; i < 3; i++) {
    if (theirs[i] < 0) continue;
    streams[i].flags = UV_INHERIT_FD;
    streams[i].data.fd = theirs[i];
  }
  guarded_hold folder; /* a guarded one, so that no link leads elsewhere */
  bool is_guarded_one = options->directory && is_guarded(options->directory);
  bool is_held = is_guarded_one && guarded_hold_open(&folder, options->directory) == 0;
  uv_process_options_t how = {
      .exit_cb = on_ended,
      .file = options->file ? options->file : options->arguments[0],
      .args = options->arguments,
      .env = options->environment,
      .cwd = is_held          ? folder.name
             : is_guarded_one ? "/proc/self/fd/-1"
                              : options->directory,
      .flags = UV_PROCESS_DETACHED,
      .stdio_count = 3,
      .stdio = streams,
  };
  close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  int failed = uv_spawn(p->loop->uv, &p->handle, &how);
  if (is_held) guarded_hold_close(&folder);
  opened(p, &p->handle);
  return failed;
}

static void explain(error *e, const process_options *options, int failed)
{
  bool directory_is_bad = options->directory && guarded_access(options->directory, X_OK) != 0;
  if (directory_is_bad)
    file_error(e, "run a command in", options->directory, errno);
  else
    file_error(e, "run", options->arguments[0], -failed);
}

static void start_timeout(process *p, uint64_t timeout)
{
  uv_timer_init(p->loop->uv, &p->timer);
  opened(p, &p->timer);
  p->timer_open = true;
  if (timeout) {
    uv_update_time(p->loop->uv);
    uv_timer_start(&p->timer, on_timeout, (timeout + MILLISECOND - 1) / MILLISECOND, 0);
  }
}

process *process_start(loop *l, const process_options *options, error *e)
{
  int theirs[3] = {-1, -1, -1};
  process *p = calloc(1, sizeof *p);
  if (!p) {
    error_set(e, ERROR_limit, NULL, "out of memory");
    return NULL;
  }
  p->loop = l;
  p->references = 1;
  list_init(&p->waits);
  for (int i = 0; i < PROCESS_STREAMS; i++) p->outputs[i].kept = options->kept[i];
  int failed = open_pipes(p, options->has_input, theirs);
  bool spawned = !failed;
  if (!failed) failed = spawn(p, options, theirs);
  for (int i = 0; i < 3; i++) {
    if (theirs[i] >= 0) close(theirs[i]);
  }
  if (failed) {
    explain(e, options, failed);
    p->ended = true;
    if (spawned) close_handle(&p->handle);
    process_abandon(p);
    return NULL;
  }
  process_registry_add(p->handle.pid);
  start_timeout(p, options->timeout);
  for (int i = 0; i < PROCESS_STREAMS; i++) read_on(&p->outputs[i]);
  return p;
}
