/* The JSON units below Lua's sight: buffers of the exact size, and what is left behind when memory runs out.
 */
#include "format/json/json_check.h"
#include "format/json/json_explain.h"
#include "format/json/json_layout.h"
#include "format/json/json_write.h"
#include "script/json/json_build.h"
#include "script/json/json_encode.h"
#include "support/unit.h"

#include <float.h>
#include <lauxlib.h>
#include <stdlib.h>

/* The problem of a text that lies in memory of its exact size, so that a sanitizer sees reading beyond. */
static const char *problem_of(const char *text, size_t length, size_t *position)
{
  char *copy = malloc(length + 1);
  memcpy(copy, text, length);
  copy[length] = 0;
  const char *problem = json_check(copy, length, false, position, NULL);
  free(copy);
  return problem;
}

/* Of a copy of its exact size. */
static size_t value_end(const char *text, size_t length, size_t from)
{
  char *copy = malloc(length ? length : 1);
  memcpy(copy, text, length);
  size_t end = json_value_end(copy, length, from);
  free(copy);
  return end;
}

static void finds_ends_of_values(void)
{
  static const char text[] = "{\"a\\\"}\":[1,{\"b\":\"]\\\\\"}],\"c\":-1.5e3}";
  size_t length = sizeof text - 1;
  check(value_end(text, length, 0) == length);
  check(value_end(text, length, 1) == 7);
  check(value_end(text, length, 8) == 23);
  check(value_end(text, length, length - 7) == length - 1);
  check(!value_end(text, length, length) && !value_end(",", 1, 0) && !value_end("", 0, 0));
  for (size_t cut = 0; cut < length; cut++) check(!value_end(text, cut, 0));
}

static void joins_tokens(void)
{
  static const char spaced[] = " { \"a \\\" b\" : [ 1 , 2 ] }\n";
  char out[64];
  size_t length = json_join(out, spaced, sizeof spaced - 1, false);
  check(length == 16 && !memcmp(out, "{\"a \\\" b\":[1,2]}", length));
  length = json_join(out, "{\"a\":[1,2]}", 11, true);
  check(length == 13 && !memcmp(out, "{\"a\": [1, 2]}", length));
  check(json_join(out, "\"cut", 4, true) == 4);
}

static void checks_every_cut_text(void)
{
  static const char text[] =
      "{\"a\\u00fc\\ud83d\\ude00\xf0\x9f\x98\x80\":[-1.5e+300,true,false,null,\"12345678\"],\"b\":{}}";
  size_t position = 0;
  check(!problem_of(text, sizeof text - 1, &position));
  for (size_t length = 0; length < sizeof text - 1; length++) {
    check(problem_of(text, length, &position));
    check(position <= length);
  }
}

static void notes_sizes_in_the_order_of_opening(void)
{
  static const char text[] = "{\"a\":[1,[],[2,3,4]],\"b\":{},\"c\":0}";
  static const uint32_t wanted[] = {3, 3, 0, 3, 0};
  json_sizes sizes = {0};
  size_t position;
  for (int again = 0; again < 2; again++) {
    check(!json_check(text, sizeof text - 1, false, &position, &sizes));
    check(sizes.count == 5 && !memcmp(sizes.items, wanted, sizeof wanted));
  }
  json_sizes_free(&sizes);
}

static void tells_a_nul_from_the_end(void)
{
  size_t position = 0;
  check_string(problem_of("\"a\0\"", 4, &position), "control characters in strings must be escaped");
  check(position == 2);
  check_string(problem_of("\"a", 2, &position), "a string is not closed");
  check(position == 2);
  check_string(problem_of("1\0", 2, &position), "expected the end of the text");
  check(position == 1);
}

static void cuts_explanations(void)
{
  char message[20];
  size_t line, column;
  json_explain("[1,\n\xc3\xbc]", 7, "expected a value", 4, message, sizeof message, &line, &column);
  check_string(message, "JSON does not parse");
  check(line == 2 && column == 1);
}

static void writes_numbers(void)
{
  static const struct {
    double value;
    const char *text;
  } cases[] = {
      {0, "0"},
      {-0.0, "-0"},
      {0.1, "0.1"},
      {-1e15, "-1000000000000000"},
      {9007199254740992.0, "9007199254740992"},
      {9007199254740994.0, "9007199254740994"},
      {0x1p-77, "6.617444900424222e-24"},
      {1e21, "1e+21"},
      {1.5e-7, "1.5e-7"},
      {-1e20, "-100000000000000000000"},
      {1e300, "1e+300"},
      {-DBL_MAX, "-1.7976931348623157e+308"},
      {-DBL_MIN, "-2.2250738585072014e-308"},
      {5e-324, "5e-324"},
      {-1.2345678901234568e-300, "-1.2345678901234568e-300"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *out = malloc(JSON_NUMBER_SIZE);
    size_t length = json_write_number(cases[i].value, out);
    check_bytes(out, length, cases[i].text);
    free(out);
  }
}

static void writes_strings(void)
{
  static const char text[] = "a\"\\\n\x01\xc3\xbc/";
  size_t length = sizeof text - 1, quoted = json_quoted_length(text, length);
  char *out = malloc(quoted);
  check(json_write_string(text, length, quoted, out) == quoted);
  check_bytes(out, quoted, "\"a\\\"\\\\\\n\\u0001\xc3\xbc/\"");
  free(out);
  check(json_quoted_length("", 0) == 2);
  check(json_quoted_length("\xc3", 1) == 0);
  check(json_quoted_length("\xed\xa0\x80", 3) == 0);
}

static long allocations_left = -1; /* negative: as many as wanted */
static size_t live;                /* bytes */

static void *allocate(void *user, void *block, size_t old, size_t wanted)
{
  (void)user;
  if (wanted > old && allocations_left >= 0 && allocations_left-- == 0) {
    allocations_left = 0;
    return NULL;
  }
  live += wanted - old;
  if (wanted) return realloc(block, wanted);
  free(block);
  return NULL;
}

static int build_and_write(lua_State *L)
{
  size_t length, position;
  const char *text = lua_tolstring(L, 1, &length);
  check(!json_check(text, length, false, &position, json_memory_sizes(L)));
  json_build(L, text, length, false);
  json_style style = {.pretty = true};
  return json_encode(L, 2, style) ? 1 : luaL_error(L, "not written");
}

static void survives_every_failed_allocation(void)
{
  char text[8000], *p = text;
  *p++ = '[';
  for (int i = 0; i < 100; i++)
    p += sprintf(p, "{\"k%d\":[1,2,\"x\\n%d\",[],{}],\"%d\":{\"a\":%d.5e3}},", i, i, i, i);
  p[-1] = ']';

  lua_State *L = lua_newstate(allocate, NULL);
  lua_newtable(L);
  lua_newtable(L);
  json_push_memory(L);
  lua_pushcclosure(L, build_and_write, 3);
  int status = LUA_ERRMEM;
  for (long allocations = 0; status == LUA_ERRMEM; allocations++) {
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, text, (size_t)(p - text));
    allocations_left = allocations;
    status = lua_pcall(L, 1, 1, 0);
    allocations_left = -1;
    if (allocations % 50 == 0) lua_gc(L, LUA_GCCOLLECT, 0);
  }
  check(status == 0);
  check(lua_objlen(L, -1) > (size_t)(p - text));
  lua_close(L);
  check(live == 0);
}

int main(void)
{
  checks_every_cut_text();
  finds_ends_of_values();
  joins_tokens();
  notes_sizes_in_the_order_of_opening();
  tells_a_nul_from_the_end();
  cuts_explanations();
  writes_numbers();
  writes_strings();
  survives_every_failed_allocation();
  return unit_end();
}
