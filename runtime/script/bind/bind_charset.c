/* lurcher.native.charset: text of older character sets, by the C library's tables. */
#include "core/buffer.h"

#include <errno.h>
#include <iconv.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

int luaopen_lurcher_native_charset(lua_State *L);

/* Converts all of `text`; at a fault `*place` is how far it came. False: bad text (EILSEQ) or no memory. */
static bool convert_all(iconv_t converter, const char *text, size_t length, buffer *out, size_t *place)
{
  char *from = (char *)(uintptr_t)text;
  size_t left = length;
  for (bool flushing = false;;) {
    char piece[4096], *to = piece;
    size_t room = sizeof piece;
    size_t result = iconv(converter, flushing ? NULL : &from, &left, &to, &room);
    int fault = result == (size_t)-1 ? errno : 0;
    *place = length - left;
    if (!buffer_append(out, piece, (size_t)(to - piece))) return false;
    if (fault == E2BIG) continue;
    if (fault) return false;
    if (flushing) return true;
    flushing = true; /* what was held back to see whether something combines with it */
  }
}

/* to_utf8(text, name) → string | nil: no such character set | nil, place of the first bad byte (from 1) */
static int to_utf8(lua_State *L)
{
  size_t length, place = 0;
  const char *text = luaL_checklstring(L, 1, &length);
  iconv_t converter = iconv_open("UTF-8", luaL_checkstring(L, 2));
  if (converter == (iconv_t)-1) return 0;
  buffer out = {0};
  bool whole = convert_all(converter, text, length, &out, &place);
  iconv_close(converter);
  if (whole) {
    lua_pushlstring(L, out.bytes ? out.bytes : "", out.length);
    buffer_free(&out);
    return 1;
  }
  buffer_free(&out);
  lua_pushnil(L);
  lua_pushnumber(L, (double)place + 1);
  return 2;
}

int luaopen_lurcher_native_charset(lua_State *L)
{
  lua_newtable(L);
  lua_pushcfunction(L, to_utf8);
  lua_setfield(L, -2, "to_utf8");
  return 1;
}
