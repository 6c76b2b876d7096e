#include "script/http/http_tape.h"

#include "format/coding/decode.h"
#include "net/transfer/transfer_tape.h"
#include "script/base/lua_error.h"
#include "script/http/http_handle.h"

#include <lauxlib.h>

static const char tape_name[] = "lurcher.http.tape";

static const double NANOSECONDS_IN_A_SECOND = 1e9;

static int tape_gc(lua_State *L)
{
  http_box *box = lua_touserdata(L, 1);
  transfer_tape_unref(box->pointer);
  box->pointer = NULL;
  return 0;
}

static void set_text(lua_State *L, const char *name, const buffer *text)
{
  lua_pushlstring(L, text->length ? text->bytes : "", text->length);
  lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool value)
{
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, int value)
{
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

/* Length and seconds of each piece, one after the other. */
static void set_pieces(lua_State *L, const buffer *pieces)
{
  const transfer_piece *piece = (const void *)pieces->bytes;
  size_t count = pieces->length / sizeof *piece;
  lua_createtable(L, (int)(2 * count), 0);
  for (size_t i = 0; i < count; i++, piece++) {
    lua_pushnumber(L, (lua_Number)piece->length);
    lua_rawseti(L, -2, (int)(2 * i + 1));
    lua_pushnumber(L, (lua_Number)piece->at / NANOSECONDS_IN_A_SECOND);
    lua_rawseti(L, -2, (int)(2 * i + 2));
  }
  lua_setfield(L, -2, "pieces");
}

/* tape:play() → { status (0: no head came), version, reason, head, sent, received, pieces, decoded,
 * incomplete, ended, whole, failure } */
static int tape_play(lua_State *L)
{
  const transfer_tape *tape = http_handle(L, 1, HTTP_TAPE);
  lua_createtable(L, 0, 12);
  set_text(L, "head", &tape->head);
  set_text(L, "sent", &tape->sent);
  set_text(L, "received", &tape->received);
  set_pieces(L, &tape->pieces);
  set_number(L, "status", tape->status);
  set_number(L, "version", tape->version);
  lua_pushstring(L, tape->reason);
  lua_setfield(L, -2, "reason");
  set_flag(L, "decoded", tape->decoded);
  set_flag(L, "incomplete", tape->is_incomplete);
  set_flag(L, "ended", tape->ended);
  set_flag(L, "whole", tape->is_whole);
  if (!tape->failed) return 1;
  errors_return(L, &tape->failure);
  lua_setfield(L, -3, "failure");
  lua_pop(L, 1);
  return 1;
}

/* tape:ended() → whether nothing is added any more */
static int tape_ended(lua_State *L)
{
  const transfer_tape *tape = http_handle(L, 1, HTTP_TAPE);
  lua_pushboolean(L, tape->ended);
  return 1;
}

/* ---- bodies that were recorded as they came ---- */

static const char decoding_name[] = "lurcher.http.decoding";

enum { DECODED_PIECE = 16 * 1024 };

/* Freed with its userdata, whatever is raised. */
typedef struct {
  decoder *decoder;
  buffer decoded;
} decoding;

static int decoding_gc(lua_State *L)
{
  decoding *d = lua_touserdata(L, 1);
  decoder_free(d->decoder);
  buffer_free(&d->decoded);
  d->decoder = NULL;
  return 0;
}

/* False: it does not decode, or is more than `most`. */
static bool decode_all(decoding *d, decode_input *in, double most)
{
  char piece[DECODED_PIECE];
  error e;
  decode_result result;
  do {
    size_t got;
    result = decoder_read(d->decoder, in, piece, sizeof piece, &got, &e);
    if (result == DECODE_FAILED || (double)(d->decoded.length + got) > most) return false;
    if (!buffer_append(&d->decoded, piece, got)) return false;
  } while (result == DECODE_GIVEN || result == DECODE_BUSY);
  return true;
}

static void decoding_class(lua_State *L, const char *name)
{
  http_make_metatable(L, name, decoding_gc, NULL, NULL);
}

int http_decoded(lua_State *L)
{
  error e;
  size_t coding_length, length;
  const char *coding = luaL_checklstring(L, 1, &coding_length);
  const char *bytes = luaL_checklstring(L, 2, &length);
  double most = luaL_checknumber(L, 3);
  decoding *d = lua_newuserdata(L, sizeof *d);
  *d = (decoding){0};
  http_set_class(L, decoding_name, decoding_class);
  decode_input in = {bytes, length};
  if (!decoder_create(&d->decoder, coding, coding_length, &e) || !d->decoder) return 0;
  if (!decode_all(d, &in, most)) return 0;
  lua_pushlstring(L, d->decoded.length ? d->decoded.bytes : "", d->decoded.length);
  return 1;
}

static void tape_class(lua_State *L, const char *name)
{
  static const luaL_Reg methods[] = {{"play", tape_play}, {"ended", tape_ended}, {NULL, NULL}};
  http_make_metatable(L, name, tape_gc, methods, NULL);
}

int http_new_tape(lua_State *L)
{
  double most = luaL_checknumber(L, 1);
  luaL_argcheck(L, most >= 0 && most <= 0x1p53, 1, "not a number of bytes");
  http_box *box = http_new_box(L, HTTP_TAPE, tape_name, tape_class);
  box->pointer = transfer_tape_new((size_t)most);
  if (!box->pointer) return luaL_error(L, "not enough memory");
  return 1;
}
