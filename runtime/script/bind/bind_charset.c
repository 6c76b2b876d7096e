/* lurcher.native.charset: text in any character set to UTF-8. Pieces of a text are for the caller to ask for,
 * so that a long one does not hold the loop. */
#include "format/charset/charset.h"
#include "script/base/lua_class.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

int luaopen_lurcher_native_charset(lua_State *L);

static const char decoder_name[] = "lurcher.native.charset.decoder";

static int collect_decoder(lua_State *L)
{
  charset_decoder_deinit(lua_touserdata(L, 1));
  return 0;
}

/* decoder(label, from) → a decoder that skips the first `from` bytes | nil: the character set is not
 * supported */
static int new_decoder(lua_State *L)
{
  size_t length;
  const char *label = luaL_checklstring(L, 1, &length);
  double from = luaL_optnumber(L, 2, 0);
  const charset *set = charset_find(label, length);
  charset_decoder *d = lua_newuserdata(L, sizeof *d);
  if (!set || !charset_decoder_init(d, set)) return 0;
  d->taken = (size_t)from;
  luaL_getmetatable(L, decoder_name);
  lua_setmetatable(L, -2);
  return 1;
}

static int push_whole(lua_State *L, charset_decoder *d, size_t from, const char *text, size_t length)
{
  lua_pushliteral(L, "done");
  if (charset_is_utf8(d->set) && from == 0)
    lua_pushvalue(L, 2);
  else if (charset_is_utf8(d->set))
    lua_pushlstring(L, text + from, length - from);
  else
    lua_pushlstring(L, d->out.bytes ? d->out.bytes : "", d->out.length);
  charset_decoder_deinit(d);
  return 2;
}

/* decoder:step(text, from, bytes) → "more" | "done", the whole in UTF-8 | "bad", the place of the bad byte,
 * from 1; `text` and `from` are the same at each call. */
static int step(lua_State *L)
{
  size_t length;
  charset_decoder *d = luaL_checkudata(L, 1, decoder_name);
  const char *text = luaL_checklstring(L, 2, &length);
  size_t from = (size_t)luaL_checknumber(L, 3), bytes = (size_t)luaL_checknumber(L, 4);
  switch (charset_decode(d, text, length, bytes)) {
  case CHARSET_MORE:
    lua_pushliteral(L, "more");
    return 1;
  case CHARSET_DONE:
    return push_whole(L, d, from, text, length);
  case CHARSET_BAD:
    lua_pushliteral(L, "bad");
    lua_pushnumber(L, (double)d->taken + 1);
    charset_decoder_deinit(d);
    return 2;
  default:
    charset_decoder_deinit(d);
    return luaL_error(L, "not enough memory");
  }
}

int luaopen_lurcher_native_charset(lua_State *L)
{
  static const luaL_Reg methods[] = {{"step", step}, {NULL, NULL}};
  class_new(L, decoder_name, collect_decoder, methods);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushcfunction(L, new_decoder);
  lua_setfield(L, -2, "decoder");
  return 1;
}
