/* Arguments and results of the host's functions. */
#include "script/host/host_values.h"

#include "format/json/json_check.h"
#include "script/base/lua_error.h"
#include "script/host/host_call.h"

#include <stdlib.h>
#include <string.h>

/* ---- JSON ---- */

static void push_json_function(lua_State *L, const char *name)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "lurcher.require");
  lua_pushliteral(L, "lurcher.native.json");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

int host_json_decode(lua_State *L, const char *text, size_t length)
{
  push_json_function(L, "decode");
  lua_pushlstring(L, text, length);
  lua_call(L, 1, 2);
  if (!lua_isnil(L, -2)) lua_pop(L, 1);
  return lua_isnil(L, -2) ? 2 : 1;
}

bool host_json_encode(lua_State *L)
{
  push_json_function(L, "encode");
  lua_insert(L, -2);
  bool written = lua_pcall(L, 1, 1, 0) == 0 && lua_type(L, -1) == LUA_TSTRING;
  if (!written) lua_pop(L, 1);
  return written;
}

/* ---- arguments ---- */

static bool has_argument(const lur_call *c, int i) { return c && c->L && i >= 1 && i <= c->argument_count; }

int lur_arg_count(const lur_call *c) { return c && c->L ? c->argument_count : 0; }

lur_type lur_arg_type(const lur_call *c, int i)
{
  if (!has_argument(c, i)) return LUR_TYPE_NIL;
  switch (lua_type(c->L, i)) {
  case LUA_TNIL:
    return LUR_TYPE_NIL;
  case LUA_TBOOLEAN:
    return LUR_TYPE_BOOLEAN;
  case LUA_TNUMBER:
    return LUR_TYPE_NUMBER;
  case LUA_TSTRING:
    return LUR_TYPE_STRING;
  case LUA_TTABLE:
    return LUR_TYPE_TABLE;
  default:
    return LUR_TYPE_OTHER;
  }
}

int lur_arg_boolean(lur_call *c, int i) { return has_argument(c, i) ? lua_toboolean(c->L, i) : 0; }

double lur_arg_number(lur_call *c, int i)
{
  return has_argument(c, i) && lua_type(c->L, i) == LUA_TNUMBER ? lua_tonumber(c->L, i) : 0;
}

/* No number becomes a text here: Lua would do that with 14 digits. */
const char *lur_arg_string(lur_call *c, int i, size_t *length)
{
  if (length) *length = 0;
  if (!has_argument(c, i) || lua_type(c->L, i) != LUA_TSTRING) return NULL;
  return lua_tolstring(c->L, i, length);
}

typedef struct {
  lent_text *text;
  size_t length;
} written_json;

/* write(value, written_json) */
static int write_argument(lua_State *L)
{
  written_json *written = lua_touserdata(L, 2);
  lua_settop(L, 1);
  if (!host_json_encode(L)) return 0;
  const char *bytes = lua_tolstring(L, -1, &written->length);
  written->text = malloc(sizeof *written->text + written->length + 1);
  if (written->text) memcpy(written->text->bytes, bytes, written->length + 1);
  return 0;
}

/* The three places on the stack are among the 20 that a C function has; to make the function, memory is
 * needed, so it was made before. */
const char *lur_arg_json(lur_call *c, int i, size_t *length)
{
  if (length) *length = 0;
  if (!has_argument(c, i)) return NULL;
  written_json written = {0};
  lua_rawgeti(c->L, LUA_REGISTRYINDEX, c->runtime->write_argument_ref);
  lua_pushvalue(c->L, i);
  lua_pushlightuserdata(c->L, &written);
  if (lua_pcall(c->L, 2, 0, 0) != 0) lua_pop(c->L, 1);
  if (!written.text) return NULL;
  written.text->next = c->lent;
  c->lent = written.text;
  if (length) *length = written.length;
  return written.text->bytes;
}

void host_values_open(lua_State *L)
{
  lua_pushcfunction(L, write_argument);
  runtime_of(L)->write_argument_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* ---- results ---- */

void host_values_free(lur_call *c)
{
  for (lent_text *text = c->lent, *next; text; text = next) {
    next = text->next;
    free(text);
  }
  c->lent = NULL;
  for (int i = 0; i < c->result_count; i++) free(c->results[i].text);
  if (c->results != c->few) free(c->results);
  c->results = c->few;
  c->result_capacity = FEW_RESULTS;
  c->result_count = 0;
}

static bool takes_results(const lur_call *c)
{
  int state = c ? atomic_load(&c->state) : CALL_IDLE;
  return state == CALL_RUNNING || state == CALL_PENDED || state == CALL_WAITING;
}

static bool make_room_for_one(lur_call *c)
{
  if (!c->results) {
    c->results = c->few;
    c->result_capacity = FEW_RESULTS;
  }
  if (c->result_count < c->result_capacity) return true;
  int capacity = 2 * c->result_capacity;
  host_result *grown = malloc((size_t)capacity * sizeof *grown);
  if (!grown) return false;
  memcpy(grown, c->results, (size_t)c->result_count * sizeof *grown);
  if (c->results != c->few) free(c->results);
  c->results = grown;
  c->result_capacity = capacity;
  return true;
}

static lur_status add(lur_call *c, host_result result)
{
  if (!takes_results(c) || c->outcome != CALL_GIVES || c->result_count >= MAX_RESULTS) return LUR_INVALID;
  if (!make_room_for_one(c)) return LUR_NO_MEMORY;
  c->results[c->result_count++] = result;
  return LUR_OK;
}

static lur_status add_text(lur_call *c, host_result result, const char *text, size_t length)
{
  if (!text && length > 0) return LUR_INVALID;
  result.text = malloc(length + 1);
  if (!result.text) return LUR_NO_MEMORY;
  if (length > 0) memcpy(result.text, text, length);
  result.text[length] = 0;
  result.length = length;
  size_t position;
  bool wrong = result.type == RESULT_JSON && json_check(result.text, length, false, &position, NULL);
  lur_status status = wrong ? LUR_INVALID : add(c, result);
  if (status != LUR_OK) free(result.text);
  return status;
}

lur_status lur_return_nil(lur_call *c) { return add(c, (host_result){.type = RESULT_NIL}); }

lur_status lur_return_boolean(lur_call *c, int value)
{
  return add(c, (host_result){.type = RESULT_BOOLEAN, .number = value != 0});
}

lur_status lur_return_number(lur_call *c, double value)
{
  return add(c, (host_result){.type = RESULT_NUMBER, .number = value});
}

lur_status lur_return_string(lur_call *c, const char *text, size_t length)
{
  return add_text(c, (host_result){.type = RESULT_STRING}, text, length);
}

lur_status lur_return_json(lur_call *c, const char *text, size_t length)
{
  return add_text(c, (host_result){.type = RESULT_JSON}, text, length);
}

/* The texts take the place of all results. */
static lur_status replace_results(lur_call *c, call_outcome outcome, const char *message, const char *code)
{
  if (!takes_results(c)) return LUR_INVALID;
  for (int i = 0; i < c->result_count; i++) free(c->results[i].text);
  c->result_count = 0;
  c->outcome = CALL_GIVES;
  lur_status status = lur_return_string(c, message, strlen(message));
  if (status == LUR_OK && code) status = lur_return_string(c, code, strlen(code));
  if (c->result_count > 0) c->outcome = outcome;
  return status;
}

lur_status lur_fail(lur_call *c, const char *code, const char *message)
{
  return replace_results(c, CALL_FAILS, message ? message : "the host gave no reason", code);
}

lur_status lur_raise(lur_call *c, const char *message)
{
  return replace_results(c, CALL_RAISES, message ? message : "a function of the host raised an error", NULL);
}

static void push_result(lua_State *L, const host_result *result)
{
  switch (result->type) {
  case RESULT_NIL:
    lua_pushnil(L);
    break;
  case RESULT_BOOLEAN:
    lua_pushboolean(L, result->number != 0);
    break;
  case RESULT_NUMBER:
    lua_pushnumber(L, result->number);
    break;
  case RESULT_STRING:
    lua_pushlstring(L, result->text, result->length);
    break;
  case RESULT_JSON:
    host_json_decode(L, result->text, result->length);
    break;
  }
}

static int push_failure(lua_State *L, const lur_call *c)
{
  error e;
  error_set(&e, ERROR_host, NULL, "%s", c->results[0].text);
  if (c->result_count > 1) e.code = c->results[1].text;
  return errors_return(L, &e);
}

int host_values_push(lua_State *L, const lur_call *c)
{
  if (c->outcome == CALL_FAILS) return push_failure(L, c);
  luaL_checkstack(L, c->result_count + 4, "results of the host");
  for (int i = 0; i < c->result_count; i++) push_result(L, &c->results[i]);
  return c->result_count;
}
