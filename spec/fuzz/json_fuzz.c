/* Checks anything. What is JSON is built and written again, and must come out the same the second time; what
 * is not must be explained, with a position within the text. */
#include "format/json/json_check.h"
#include "format/json/json_explain.h"
#include "script/json/json_build.h"
#include "script/json/json_encode.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static lua_State *L;

static void require(bool holds)
{
  if (!holds) abort();
}

/* again(text, big_as_numbers, pretty) -> the text's value written */
static int again(lua_State *state)
{
  size_t length, position;
  const char *text = lua_tolstring(state, 1, &length);
  bool big_as_numbers = lua_toboolean(state, 2);
  require(!json_check(text, length, big_as_numbers, &position, json_memory_sizes(state)));
  json_build(state, text, length, big_as_numbers);
  require(lua_gettop(state) == 4);
  json_style style = {.pretty = lua_toboolean(state, 3)};
  if (!json_encode(state, 4, style)) abort();
  return 1;
}

static void push_again(const char *text, size_t length, bool big_as_numbers, bool pretty)
{
  lua_getglobal(L, "again");
  lua_pushlstring(L, text, length);
  lua_pushboolean(L, big_as_numbers);
  lua_pushboolean(L, pretty);
  require(lua_pcall(L, 3, 1, 0) == 0);
}

static void explain(const char *text, size_t length, const char *problem, size_t position)
{
  char message[512];
  size_t line = 0, column = 0;
  require(position <= length);
  json_explain(text, length, problem, position, message, sizeof message, &line, &column);
  require(line >= 1 && column >= 1 && line + column <= length + 2);
  for (const char *p = message; *p; p++) require((unsigned char)*p >= 0x20);
}

/* LuaJIT's own allocator keeps what it points to out of LeakSanitizer's sight. */
static void *allocate(void *user, void *block, size_t old_size, size_t size)
{
  (void)user, (void)old_size;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc, (void)argv;
  L = lua_newstate(allocate, NULL);
  require(L != NULL);
  lua_newtable(L);
  lua_newtable(L);
  json_push_memory(L);
  lua_pushcclosure(L, again, 3);
  lua_setglobal(L, "again");
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0) return 0;
  bool big_as_numbers = data[0] & 1, pretty = data[0] & 2;
  size_t length = size - 1, position = 0, once_length, twice_length;
  char *text = malloc(length + 1); /* exactly, so that reading beyond is seen */
  require(text != NULL);
  memcpy(text, data + 1, length);
  text[length] = 0;
  const char *problem = json_check(text, length, big_as_numbers, &position, NULL);
  if (problem) {
    explain(text, length, problem, position);
  } else {
    push_again(text, length, big_as_numbers, false);
    const char *once = lua_tolstring(L, -1, &once_length);
    /* What was taken as a string is one by now; a whole number beyond 2^53 was a fraction, or had an
     * exponent. */
    push_again(once, once_length, true, pretty);
    const char *twice = lua_tolstring(L, -1, &twice_length);
    push_again(twice, twice_length, true, false);
    size_t thrice_length;
    lua_tolstring(L, -1, &thrice_length);
    /* the order of keys may differ, so that only the lengths can be compared */
    require(once_length == thrice_length);
    lua_settop(L, 0);
  }
  free(text);
  return 0;
}
