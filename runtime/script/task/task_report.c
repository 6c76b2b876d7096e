#include "script/task/task_report.h"

#include "core/buffer.h"
#include "script/task/task_anchor.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHAIN = 16 }; /* tasks shown in one report */

static bool is_own(const char *source) { return strncmp(source, "@lurcher/", 9) == 0; }

void report_position(lua_State *L, char *text, size_t size)
{
  lua_Debug at;
  *text = 0;
  for (int level = 0; lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0 || is_own(at.source)) continue;
    snprintf(text, size, "%s:%d", at.short_src, at.currentline);
    return;
  }
}

/* The script's main function has gone into its last call. */
static void tail_position(lua_State *L, const scope *script, char *text, size_t size)
{
  int top = lua_gettop(L);
  luaL_checkstack(L, 8, "report");
  lua_rawgeti(L, LUA_REGISTRYINDEX, script->chunk_ref);
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.open_jit_util");
  if (report_ask(L, "tail_line", 2))
    snprintf(text, size, "%s:%d", script->main->source, (int)lua_tointeger(L, -1));
  lua_settop(L, top);
}

static void call_position(lua_State *L, char *text, size_t size)
{
  const lur_task *t = runtime_of(L)->current;
  report_position(L, text, size);
  if (!*text && t && t->L && t->L != L) report_position(t->L, text, size);
  if (*text || !t) return;
  if (t->line > 0)
    snprintf(text, size, "%s:%d", t->source, t->line);
  else if (t->script && t->script->main == t)
    tail_position(L, t->script, text, size);
}

int report_raise(lua_State *L, const char *message)
{
  char at[160];
  call_position(L, at, sizeof at);
  if (*at)
    lua_pushfstring(L, "%s: %s", at, message);
  else
    lua_pushstring(L, message);
  return lua_error(L);
}

/* How long the place at the start of an error's text is, if it is one in the runtime's code around scripts.
 */
static size_t own_place(const char *text)
{
  static const char source[] = "lurcher/script.lua:";
  if (strncmp(text, source, sizeof source - 1) != 0) return 0;
  size_t length = sizeof source - 1 + strspn(text + sizeof source - 1, "0123456789");
  return strncmp(text + length, ": ", 2) == 0 ? length + 2 : 0;
}

/* Sets the field `error` of the table at `index` from the value `from` to that on top of the stack. */
static void replace_error(lua_State *L, int index, int from)
{
  lua_getfield(L, index, "error");
  bool same = lua_rawequal(L, -1, from);
  lua_pop(L, 1);
  if (!same) return;
  lua_pushvalue(L, -1);
  lua_setfield(L, index, "error");
}

void report_mend_place(lua_State *L, const scope *script)
{
  char at[160] = "";
  int top = lua_gettop(L), locals = top + 2, text = top + 3, mended = top + 4;
  if (script->failed != script->main) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, script->failed_ref);
  task_push_locals(L, -1, script->failed);
  lua_getfield(L, locals, "error");
  size_t own = lua_type(L, text) == LUA_TSTRING ? own_place(lua_tostring(L, text)) : 0;
  if (own) {
    tail_position(L, script, at, sizeof at);
    lua_pushfstring(L, *at ? "%s: " : "%s", at);
    lua_pushlstring(L, lua_tostring(L, text) + own, lua_objlen(L, text) - own);
    lua_concat(L, 2);
    replace_error(L, locals, text);
    lua_getfield(L, locals, "causes");
    lua_insert(L, mended);
    if (lua_istable(L, mended)) replace_error(L, mended, text);
  }
  lua_settop(L, top);
}

int report_mend_limit(lua_State *L)
{
  scope *script = lua_touserdata(L, 1);
  char at[160] = "";
  if (!script->failure || strstr(script->failure, ", at ")) return 0;
  tail_position(L, script, at, sizeof at);
  const char *in = strstr(script->failure, ", in ");
  int length = (int)(in ? (size_t)(in - script->failure) : strlen(script->failure));
  size_t size = (size_t)length + sizeof at + sizeof ", at ";
  char *mended = *at ? malloc(size) : NULL;
  if (!mended) return 0;
  snprintf(mended, size, "%.*s, at %s", length, script->failure, at);
  free(script->failure);
  script->failure = mended;
  return 0;
}

/* ---- tracebacks without the runtime's own frames ---- */

static bool starts_with(const char *line, const char *prefix)
{
  return strncmp(line, prefix, strlen(prefix)) == 0;
}

static void add_line(luaL_Buffer *b, const char *line)
{
  luaL_addlstring(b, line, strcspn(line, "\n"));
  luaL_addchar(b, '\n');
}

void report_push_traceback(lua_State *L, lua_State *of, int level)
{
  luaL_traceback(L, of, NULL, level);
  int text = lua_gettop(L);
  const char *line = lua_tostring(L, text), *c_line = NULL;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  while (line && *line) {
    /* A C function called by the runtime's own Lua is as uninteresting as that: kept back until its caller is
     * known. */
    bool own = starts_with(line, "\tlurcher/"), heading = starts_with(line, "stack traceback:");
    if (c_line && !own) add_line(&b, c_line);
    c_line = NULL;
    if (starts_with(line, "\t[C]:") || starts_with(line, "\t[builtin#"))
      c_line = line;
    else if (!own && !heading)
      add_line(&b, line);
    line = strchr(line, '\n');
    if (line) line++;
  }
  luaL_pushresult(&b);
  lua_remove(L, text);
}

/* ---- where errors came from ---- */

/* Appends the value on top of the stack (popped) to the list below it, at most MAX_CHAIN long: a text that a
 * task raises and catches again and again is the same error each time. */
static void append_cause(lua_State *L)
{
  int list = lua_gettop(L) - 1, count = (int)lua_objlen(L, list);
  for (int i = 1; count == MAX_CHAIN && i < MAX_CHAIN; i++) {
    lua_rawgeti(L, list, i + 1);
    lua_rawseti(L, list, i);
  }
  lua_rawseti(L, list, count == MAX_CHAIN ? MAX_CHAIN : count + 1);
}

void report_note_cause(lua_State *L, lur_task *t)
{
  int entry = lua_gettop(L);
  task_push(L, t);
  task_push_locals(L, -1, t);
  lua_getfield(L, -1, "causes");
  if (!lua_istable(L, -1) || (lua_getfield(L, -1, "error"), !lua_rawequal(L, -1, entry - 1))) {
    lua_settop(L, entry + 2);
    lua_newtable(L);
    lua_pushvalue(L, entry - 1);
    lua_setfield(L, -2, "error");
    lua_pushvalue(L, -1);
    lua_setfield(L, entry + 2, "causes");
  } else {
    lua_pop(L, 1);
  }
  lua_pushvalue(L, entry);
  append_cause(L);
  lua_settop(L, entry - 1);
}

bool report_ask(lua_State *L, const char *function, int count)
{
  int arguments = lua_gettop(L) - count;
  luaL_checkstack(L, count + 4, "report");
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.require");
  lua_pushliteral(L, "lurcher.base.uncaught");
  if (lua_pcall(L, 1, 1, 0) == 0 && lua_istable(L, -1)) {
    lua_getfield(L, -1, function);
    lua_replace(L, -2);
    lua_insert(L, arguments + 1);
    if (lua_pcall(L, count, 1, 0) == 0 && lua_isstring(L, -1)) return true;
  }
  lua_settop(L, arguments);
  return false;
}

static void push_text(lua_State *L, int index)
{
  lua_pushvalue(L, index);
  if (report_ask(L, "text", 1)) return;
  if (lua_isstring(L, index))
    lua_pushvalue(L, index);
  else
    lua_pushfstring(L, "(the error is a %s value)", luaL_typename(L, index));
}

/* Whether the task's error came from others, whose list is pushed then; its locals are at `locals`. */
static bool push_causes(lua_State *L, int locals)
{
  int top = lua_gettop(L);
  lua_getfield(L, locals, "error");
  lua_getfield(L, locals, "causes");
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "error");
    bool same = lua_rawequal(L, -1, top + 1);
    lua_pop(L, 1);
    lua_remove(L, top + 1);
    if (same) return true;
  }
  lua_settop(L, top);
  return false;
}

/* Appends the handles of the tasks that an error went through to a list, the one that raised it first; the
 * outermost is at `index`. */
static void append_way(lua_State *L, int list, int index, int depth)
{
  int top = lua_gettop(L), count = 0;
  luaL_checkstack(L, 8, "report");
  task_push_locals(L, index, lua_touserdata(L, index));
  if (depth < MAX_CHAIN && push_causes(L, top + 1)) {
    bool found = false;
    for (int i = 1; !found && i <= (int)lua_objlen(L, top + 2); i++) {
      lua_rawgeti(L, top + 2, i);
      found = lua_touserdata(L, -1);
      if (found) append_way(L, list, top + 3, depth + 1);
      lua_settop(L, top + 2);
    }
  }
  lua_settop(L, top);
  count = (int)lua_objlen(L, list);
  lua_pushvalue(L, index);
  lua_rawseti(L, list, count + 1);
}

/* Appends a line that helps, if there is one, to the text on top of the stack. */
static void add_hint(lua_State *L, int index)
{
  int text = lua_gettop(L);
  lua_pushvalue(L, text);
  lua_newtable(L);
  append_way(L, text + 2, index, 0);
  if (!report_ask(L, "hint", 2)) return;
  lua_pushliteral(L, "\n");
  lua_insert(L, -2);
  lua_concat(L, 3);
}

/* Pushes the tracebacks of a failed task, innermost first; its locals are on top of the stack (popped). */
static void push_trace(lua_State *L, lur_task *t, int depth)
{
  int locals = lua_gettop(L), parts = 0;
  luaL_checkstack(L, 12, "report");
  lua_newtable(L);
  int list = lua_gettop(L);
  lua_getfield(L, locals, "error");
  lua_getfield(L, locals, "causes");
  if (lua_istable(L, -1) && depth < MAX_CHAIN) {
    int causes = lua_gettop(L);
    lua_getfield(L, causes, "error");
    bool same = lua_rawequal(L, -1, causes - 1);
    lua_pop(L, 1);
    for (int i = 1; same && i <= (int)lua_objlen(L, causes); i++) {
      lua_rawgeti(L, causes, i);
      lur_task *child = lua_touserdata(L, -1);
      if (child) {
        task_push_locals(L, -1, child);
        lua_remove(L, -2);
        push_trace(L, child, depth + 1);
      }
      lua_rawseti(L, list, ++parts);
    }
  }
  lua_settop(L, list);
  lua_getfield(L, locals, "thread");
  lua_State *co = lua_tothread(L, -1);
  if (co) {
    report_push_traceback(L, co, 0);
    lua_rawseti(L, list, ++parts);
  }
  if (t->line > 0 && !t->body) {
    lua_pushfstring(L, "\tspawned at %s:%d\n", t->source, t->line);
    lua_rawseti(L, list, ++parts);
  }
  lua_settop(L, list);
  lua_pushliteral(L, "");
  for (int i = 1; i <= parts; i++) {
    lua_rawgeti(L, list, i);
    lua_concat(L, 2);
  }
  lua_replace(L, locals);
  lua_settop(L, locals);
}

/* LuaJIT no longer knows the line in the function where the machine itself raised the error ("attempt to
 * index …"), but the message does: puts it into the traceback's first line. Message and traceback are on top
 * of the stack. */
static void add_missing_line(lua_State *L)
{
  const char *message = lua_tostring(L, -2), *trace = lua_tostring(L, -1), *in = strstr(trace, ": in ");
  if (*trace != '\t' || !in || in > strchr(trace, '\n')) return;
  size_t source = (size_t)(in - trace) - 1;
  if (strncmp(message, trace + 1, source) != 0 || message[source] != ':') return;
  size_t digits = strspn(message + source + 1, "0123456789");
  if (digits == 0 || message[source + 1 + digits] != ':') return;
  lua_pushlstring(L, trace, 1 + source);
  lua_pushlstring(L, message + source, 1 + digits);
  lua_pushstring(L, in);
  lua_concat(L, 3);
  lua_replace(L, -2);
}

/* Puts "***" in the place of marked secrets in the text on top of the stack. Where none was ever marked, the
 * module is not there. */
static void scrub(lua_State *L)
{
  int text = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "lurcher.base.secret");
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "scrub");
    lua_pushvalue(L, text);
    if (lua_pcall(L, 1, 1, 0) == 0 && lua_isstring(L, -1)) lua_replace(L, text);
  }
  lua_settop(L, text);
  if (report_ask(L, "clean", 1)) return;
  lua_pushliteral(L, "the error cannot be shown");
}

static void push_text_and_trace(lua_State *L, int index)
{
  lur_task *t = lua_touserdata(L, index);
  task_push_locals(L, index, t);
  lua_getfield(L, -1, "error");
  bool is_text = lua_type(L, -1) == LUA_TSTRING;
  push_text(L, lua_gettop(L));
  lua_replace(L, -2);
  if (is_text) add_hint(L, index);
  lua_insert(L, -2);
  push_trace(L, t, 0);
  if (lua_objlen(L, -1) == 0) {
    lua_pop(L, 1);
    return;
  }
  add_missing_line(L);
  lua_pushliteral(L, "\nstack traceback:\n");
  lua_insert(L, -2);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  lua_pushlstring(L, text, length - 1); /* no newline at the end */
  lua_replace(L, -2);
  lua_concat(L, 3);
}

void report_push(lua_State *L, int index)
{
  push_text_and_trace(L, index);
  scrub(L);
}

/* ---- what tasks wait for ---- */

static bool append_text(buffer *b, const char *text) { return buffer_append(b, text, strlen(text)); }

char *report_waiting(lur_runtime *rt, const char *heading, uint32_t after, bool daemons)
{
  buffer b = {0};
  char line[512], at[128];
  bool fine = append_text(&b, heading);
  uint32_t shown = 0;
  for (uint32_t i = 0; fine && i < rt->slot_count; i++) {
    lur_task *t = rt->slots[i];
    if (!t || !t->waiting || t->id <= after || (t->scope == rt->daemons && !daemons)) continue;
    if (++shown > 20) continue;
    report_position(t->waits_in, at, sizeof at);
    snprintf(line, sizeof line, "\n\ttask %u waits for %s%s%s", t->id,
             t->waits_for ? t->waits_for : t->waiting->class->name, *at ? " at " : "", at);
    fine = append_text(&b, line);
    if (t->line > 0 && fine && !t->body) {
      snprintf(line, sizeof line, " (spawned at %s:%d)", t->source, t->line);
      fine = append_text(&b, line);
    }
  }
  if (fine && shown > 20) {
    snprintf(line, sizeof line, "\n\t… and %u more", shown - 20);
    fine = append_text(&b, line);
  }
  if (!fine || !buffer_append(&b, "", 1)) buffer_free(&b);
  return b.bytes;
}
