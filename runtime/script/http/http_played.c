#include "script/http/http_played.h"

#include "net/transfer/transfer_played.h"
#include "script/http/http_handle.h"
#include "script/task/task.h"

#include <lauxlib.h>
#include <string.h>

enum { REQUEST_PIECE = 16 * 1024 };

static const char PLAYED[] = "lurcher.http.played";

typedef struct {
  http_box box; /* the transfer; NULL once it is over and not owned */
  transfer_rider rider;
  operation waiting;
  timer pause;
  bool owns, runs;
} played;

static void abandon_wait(operation *op) { timer_stop(&container_of(op, played, waiting)->pause); }

static const operation_class wait_class = {"mocked response", abandon_wait};

/* ---- what the transfer tells ---- */

static void wake(played *p)
{
  timer_stop(&p->pause);
  operation_complete(&p->waiting);
}

static void player_more(transfer_rider *rider) { wake(container_of(rider, played, rider)); }

static void player_end(transfer_rider *rider)
{
  played *p = container_of(rider, played, rider);
  p->runs = false;
  if (!p->owns) p->box.pointer = NULL;
  wake(p);
}

static void on_pause_end(timer *pause) { operation_complete(&container_of(pause, played, pause)->waiting); }

/* ---- its life ---- */

static played *check(lua_State *L, int index)
{
  played *p = lua_touserdata(L, index);
  luaL_argcheck(L, p && lua_objlen(L, index) >= sizeof *p && p->box.tag == HTTP_PLAYED, index,
                "not a mocked exchange");
  return p;
}

transfer *http_played_release(lua_State *L, int index)
{
  played *p = check(L, index);
  transfer *t = p->box.pointer;
  luaL_argcheck(L, p->owns, index, "its response was taken");
  p->owns = false;
  if (!p->runs) p->box.pointer = NULL;
  return t;
}

/* Nobody plays it any more. */
static void leave(played *p)
{
  transfer *t = p->box.pointer;
  p->box.pointer = NULL;
  timer_stop(&p->pause);
  if (!t) return;
  t->rider = NULL;
  if (p->owns)
    transfer_free(t);
  else if (p->runs)
    transfer_cancel(t, "the mock that answered it is gone");
  p->owns = p->runs = false;
}

static int played_gc(lua_State *L)
{
  leave(lua_touserdata(L, 1));
  return 0;
}

/* played:drop(): the caller wants no response; and an exchange that goes on has nobody left to play it */
static int drop_it(lua_State *L)
{
  leave(check(L, 1));
  return 0;
}

/* ---- what the script does ---- */

/* Pushes whether it goes on. */
static int push_runs(lua_State *L, const played *p)
{
  lua_pushboolean(L, p->runs);
  return 1;
}

/* played:connect() → whether it goes on */
static int connect_it(lua_State *L)
{
  played *p = check(L, 1);
  if (p->runs) transfer_played_connect(p->box.pointer);
  return push_runs(L, p);
}

/* played:read() → some of the request's body | nil at its end, or when it is over | false: wait */
static int read_request(lua_State *L)
{
  played *p = check(L, 1);
  char bytes[REQUEST_PIECE];
  size_t got = 0;
  upload_state state = p->runs ? transfer_played_read(p->box.pointer, bytes, sizeof bytes, &got) : UPLOAD_END;
  if (got)
    lua_pushlstring(L, bytes, got);
  else if (state == UPLOAD_LATER)
    lua_pushboolean(L, false);
  else
    lua_pushnil(L);
  return 1;
}

/* played:head(lines) → whether it goes on */
static int head_it(lua_State *L)
{
  played *p = check(L, 1);
  size_t length;
  const char *lines = luaL_checklstring(L, 2, &length);
  if (p->runs) transfer_played_head(p->box.pointer, lines, length);
  return push_runs(L, p);
}

/* played:write(bytes) → true | nil: wait, it is full | false: it is over */
static int write_body(lua_State *L)
{
  played *p = check(L, 1);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  if (p->runs && transfer_played_is_full(p->box.pointer)) return 0;
  if (p->runs) transfer_played_body(p->box.pointer, bytes, length);
  return push_runs(L, p);
}

/* played:finish(): the body ends here */
static int end_body(lua_State *L)
{
  played *p = check(L, 1);
  if (p->runs) transfer_played_end(p->box.pointer);
  return 0;
}

/* played:fail(kind, phase, message, retry_safe) */
static int fail_it(lua_State *L)
{
  static const char *const phases[] = {"queue", "dns",   "connect", "tls", "write",
                                       "read",  "total", "task",    NULL};
  played *p = check(L, 1);
  error_kind kind = error_kind_of(luaL_checkstring(L, 2));
  luaL_argcheck(L, kind != ERROR_KIND_COUNT, 2, "no error kind");
  const char *phase = lua_isnoneornil(L, 3) ? NULL : phases[luaL_checkoption(L, 3, NULL, phases)];
  error e;
  error_set(&e, kind, phase, "%s", luaL_checkstring(L, 4));
  e.retry_safe = lua_toboolean(L, 5);
  if (p->runs) transfer_played_fail(p->box.pointer, &e);
  return 0;
}

static int waited(lua_State *L, operation *op)
{
  played *p = container_of(op, played, waiting);
  operation_reset(op);
  return push_runs(L, p);
}

/* played:wait([seconds]) → whether it goes on: when there is more to read or room to write, after so many
 * seconds, or at its end */
static int wait_a_moment(lua_State *L)
{
  played *p = check(L, 1);
  bool is_pause = !lua_isnoneornil(L, 2);
  double seconds = luaL_optnumber(L, 2, 0);
  if (!p->runs) return push_runs(L, p);
  luaL_argcheck(L, p->waiting.state == OPERATION_IDLE, 1, "another task waits for it");
  transfer *t = p->box.pointer;
  operation_begin(&p->waiting, &wait_class, t->pool->network->loop, is_pause);
  uint64_t due = clock_now(t->time) + loop_nanoseconds(seconds > 0 ? seconds : 0);
  if (is_pause && !clock_start(t->time, &p->pause, due, on_pause_end)) transfer_fail_memory(t);
  return task_wait(L, &p->waiting, waited);
}

static void add_wait(lua_State *L) { task_set_blocking(L, -1, "wait", wait_a_moment); }

static void played_class(lua_State *L, const char *name)
{
  static const luaL_Reg methods[] = {
      {"connect", connect_it}, {"read", read_request}, {"head", head_it}, {"write", write_body},
      {"finish", end_body},    {"fail", fail_it},      {"drop", drop_it}, {NULL, NULL}};
  http_make_metatable(L, name, played_gc, methods, add_wait);
}

void http_push_played(lua_State *L, transfer *t)
{
  played *p = lua_newuserdata(L, sizeof *p);
  *p = (played){.box.tag = HTTP_PLAYED, .rider = {player_end, player_more}};
  http_set_class(L, PLAYED, played_class);
  operation_reset(&t->op);
  p->box.pointer = t;
  p->owns = p->runs = true;
  t->rider = &p->rider;
}
