#include "script/http/http_stream.h"

#include "net/transfer/file_sink.h"
#include "net/transfer/transfer_body.h"

#include "script/base/lua_error.h"
#include "script/bind/bind_fs_writer.h"
#include "script/http/http_handle.h"
#include "script/http/http_info.h"
#include "script/task/task.h"

#include <lauxlib.h>
#include <string.h>

enum { READ_SIZE = 32 * 1024, LINE_SIZE = 1024 * 1024 };

typedef struct {
  http_box box;    /* the transfer; NULL once closed */
  size_t searched; /* bytes of the body in which no line ends */
  bool closed;     /* while a task waited for it, which frees it then */
} stream;

/* A reader that is cancelled leaves the stream as it is. */
static const operation_class reading_class = {"response body", NULL};

static void end_stream(lua_State *L, stream *s)
{
  transfer *t = s->box.pointer;
  if (!t) return;
  s->box.pointer = NULL;
  transfer_free(t);
  task_count(L, "stream", -1);
}

static int stream_gc(lua_State *L)
{
  end_stream(L, lua_touserdata(L, 1));
  return 0;
}

/* stream:close(): the rest of the body is not wanted. A task that reads gets kind "canceled". */
static int close_stream(lua_State *L)
{
  stream *s = lua_touserdata(L, 1);
  luaL_argcheck(L, s && s->box.tag == HTTP_STREAM, 1, "not a stream");
  transfer *t = s->box.pointer;
  if (t && t->op.state != OPERATION_IDLE) {
    s->closed = true;
    transfer_cancel(t, "the response was closed while it was read");
  } else {
    end_stream(L, s);
  }
  return 0;
}

/* The results of a wait: false says "try again". */
static int try_again(lua_State *L, operation *op)
{
  operation_reset(op);
  lua_pushboolean(L, 0);
  return 1;
}

static int wait_for_more(lua_State *L, transfer *t)
{
  if (t->op.state != OPERATION_IDLE) return errors_raise(L, "another task reads this response already");
  operation_begin(&t->op, &reading_class, t->pool->network->loop, true);
  return task_wait(L, &t->op, try_again);
}

/* What the reader of a stream gets that was closed meanwhile. */
static int push_closed(lua_State *L)
{
  stream *s = lua_touserdata(L, 1);
  int count = errors_return(L, ((transfer *)s->box.pointer)->failure);
  end_stream(L, s);
  return count;
}

static bool is_closed(lua_State *L)
{
  const stream *s = lua_touserdata(L, 1);
  return s->closed;
}

static int push_end(lua_State *L, transfer *t)
{
  if (t->failure) return errors_return(L, t->failure);
  lua_pushnil(L);
  return 1;
}

static int push_taken(lua_State *L, transfer *t, size_t length, size_t skip)
{
  stream *s = lua_touserdata(L, 1);
  s->searched = 0;
  lua_pushlstring(L, byte_queue_front(&t->response.body), length);
  byte_queue_take(&t->response.body, length + skip);
  return 1;
}

/* stream:read([max]) → up to max bytes (default 32 KiB) as they come | nil at the clean end | nil, err */
static int read_some(lua_State *L)
{
  transfer *t = http_handle(L, 1, HTTP_STREAM);
  double max = luaL_optnumber(L, 2, READ_SIZE);
  luaL_argcheck(L, max >= 1, 2, "must be at least 1");
  if (is_closed(L)) return push_closed(L);
  transfer_supply supply = transfer_available(t, 1);
  if (supply == TRANSFER_MORE_TO_COME) return wait_for_more(L, t);
  size_t length = byte_queue_length(&t->response.body);
  if (!length) return push_end(L, t);
  return push_taken(L, t, (double)length > max ? (size_t)max : length, 0);
}

static int line_too_long(lua_State *L, size_t observed, double max)
{
  error e;
  error_set(&e, ERROR_too_large, "read", "a line of the response passed the limit of %.0f bytes", max);
  e.limit = max;
  e.observed = (double)observed;
  return errors_return(L, &e);
}

/* stream:line([max]) → a line without its LF or CRLF | nil at the clean end | nil, err. Where the body ends
 * without a line end, the rest is a line only if the end is clean. */
static int read_line(lua_State *L)
{
  transfer *t = http_handle(L, 1, HTTP_STREAM);
  double max = luaL_optnumber(L, 2, LINE_SIZE);
  stream *s = lua_touserdata(L, 1);
  if (is_closed(L)) return push_closed(L);
  for (;;) {
    size_t searched = s->searched;
    transfer_supply supply = transfer_available(t, searched + 1);
    size_t length = byte_queue_length(&t->response.body);
    const char *bytes = byte_queue_front(&t->response.body);
    const char *end = length > searched ? memchr(bytes + searched, '\n', length - searched) : NULL;
    size_t line = end ? (size_t)(end - bytes) : length;
    if (end && line > 0 && bytes[line - 1] == '\r') line--;
    if ((double)line > max) return line_too_long(L, line, max);
    if (end) return push_taken(L, t, line, (size_t)(end - bytes) + 1 - line);
    s->searched = length;
    if (supply == TRANSFER_MORE_TO_COME) return wait_for_more(L, t);
    if (supply == TRANSFER_COMPLETE && length) return push_taken(L, t, length, 0);
    if (supply != TRANSFER_BYTES) return push_end(L, t);
  }
}

static void push_stream_summary(lua_State *L, const transfer *t)
{
  transfer_summarize(lua_newuserdata(L, sizeof(transfer_summary)), t);
}

/* stream:summary() → what native.info takes, as things are now */
static int summary(lua_State *L)
{
  push_stream_summary(L, http_handle(L, 1, HTTP_STREAM));
  return 1;
}

static void begin(lua_State *L, transfer *t)
{
  if (t->op.state != OPERATION_IDLE) errors_raise(L, "another task reads this response already");
  operation_begin(&t->op, &reading_class, t->pool->network->loop, true);
}

static int gathered(lua_State *L, operation *op)
{
  transfer *t = transfer_of(op);
  operation_reset(op);
  if (t->failure) return errors_return(L, t->failure);
  const byte_queue *body = &t->response.body;
  lua_pushlstring(L, byte_queue_length(body) ? byte_queue_front(body) : "", byte_queue_length(body));
  return 1;
}

/* stream:gather() → all of a body of which nothing was read yet | nil, err */
static int gather(lua_State *L)
{
  transfer *t = http_handle(L, 1, HTTP_STREAM);
  if (is_closed(L)) return push_closed(L);
  begin(L, t);
  transfer_gather(t);
  return task_wait(L, &t->op, gathered);
}

/* The body, if it was short and came whole, and is not coded. */
static int push_discarded(lua_State *L, const transfer *t)
{
  const transfer_response *r = &t->response;
  const byte_queue *body = &r->body;
  if (t->failure || t->exchange.given_up || t->admission.state != ADMISSION_ENDED || r->decoder ||
      r->bytes_received != byte_queue_length(body))
    return 0;
  lua_pushlstring(L, byte_queue_length(body) ? byte_queue_front(body) : "", byte_queue_length(body));
  return 1;
}

static int discarded(lua_State *L, operation *op)
{
  operation_reset(op);
  return push_discarded(L, transfer_of(op));
}

/* stream:discard(): a short rest is read, for the connection's sake → the body as it came | nil when it is
 * long, slow or coded */
static int discard(lua_State *L)
{
  transfer *t = http_handle(L, 1, HTTP_STREAM);
  if (is_closed(L)) return 0;
  begin(L, t);
  if (transfer_discard(t)) return task_wait(L, &t->op, discarded);
  operation_reset(&t->op);
  return push_discarded(L, t);
}

static int poured(lua_State *L, operation *op)
{
  const transfer *t = transfer_of(op);
  operation_reset(op);
  if (t->failure) return errors_return(L, t->failure);
  lua_pushboolean(L, true);
  return 1;
}

/* stream:pour(writer, most, checked) → true once what is left of the body was given to the writer | nil, err.
 * More than `most` bytes: kind "checksum" when that is what the script expects (`checked`), else "protocol"
 */
static int pour(lua_State *L)
{
  transfer *t = http_handle(L, 1, HTTP_STREAM);
  file_writer *w = fs_writer_check(L, 2);
  double most = luaL_optnumber(L, 3, 0x1p63);
  luaL_argcheck(L, most >= 0 && most <= 0x1p63, 3, "not a number of bytes");
  file_sink_limit limit = {(uint64_t)most, lua_toboolean(L, 4) ? ERROR_checksum : ERROR_protocol};
  if (is_closed(L)) return push_closed(L);
  begin(L, t);
  if (transfer_pour_into_file(t, w, &limit)) return task_wait(L, &t->op, poured);
  operation_reset(&t->op);
  return luaL_error(L, "not enough memory");
}

/* stream:info() → as native.info, as things are now */
static int stream_info(lua_State *L)
{
  transfer_summary o;
  transfer_summarize(&o, http_handle(L, 1, HTTP_STREAM));
  http_push_info(L, &o);
  return 1;
}

/* A wait brings some bytes, but perhaps not enough of them. */
static const char retry_source[] = "local try = ...\n"
                                   "return function(stream, max)\n"
                                   "  while true do\n"
                                   "    local piece, err = try(stream, max)\n"
                                   "    if piece ~= false then return piece, err end\n"
                                   "  end\n"
                                   "end\n";

static void set_reader(lua_State *L, const char *name, lua_CFunction try)
{
  task_set_blocking(L, -1, name, try);
  if (luaL_loadbuffer(L, retry_source, sizeof retry_source - 1, "@lurcher/stream.lua")) lua_error(L);
  lua_getfield(L, -2, name);
  lua_call(L, 1, 1);
  lua_setfield(L, -2, name);
}

static void add_readers(lua_State *L)
{
  task_set_blocking(L, -1, "gather", gather);
  task_set_blocking(L, -1, "discard", discard);
  task_set_blocking(L, -1, "pour", pour);
  set_reader(L, "read", read_some);
  set_reader(L, "line", read_line);
}

static void stream_class(lua_State *L, const char *name)
{
  static const luaL_Reg methods[] = {
      {"close", close_stream}, {"info", stream_info}, {"summary", summary}, {NULL, NULL}};
  http_make_metatable(L, name, stream_gc, methods, add_readers);
}

void http_push_stream(lua_State *L, transfer *t)
{
  stream *s = lua_newuserdata(L, sizeof *s);
  *s = (stream){.box.tag = HTTP_STREAM};
  http_set_class(L, "lurcher.http.stream", stream_class);
  operation_reset(&t->op);
  s->box.pointer = t;
  task_count(L, "stream", 1);
}
