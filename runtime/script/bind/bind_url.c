/* lurcher.native.url: format/url/url.h for Lua. What fails returns nil and a message; lua/lurcher/url.lua
 * makes errors of them. */
#include "format/url/no_proxy.h"
#include "format/url/url_text.h"

#include <lauxlib.h>
#include <string.h>

/* Memory that the functions use again and again. In use it is taken, so that a finalizer that runs while its
 * bytes are pushed gets another one. */
typedef struct {
  url url, base;
  buffer out;
  bool taken;
} workspace;

static int collect_workspace(lua_State *L)
{
  workspace *w = lua_touserdata(L, 1);
  url_free(&w->url);
  url_free(&w->base);
  buffer_free(&w->out);
  return 0;
}

/* Pushes a new one; its metatable is at stack index `metatable`. */
static workspace *new_workspace(lua_State *L, int metatable)
{
  workspace *w = lua_newuserdata(L, sizeof *w);
  *w = (workspace){0};
  lua_pushvalue(L, metatable);
  lua_setmetatable(L, -2);
  return w;
}

static workspace *take_workspace(lua_State *L)
{
  workspace *w = lua_touserdata(L, lua_upvalueindex(1));
  if (w->taken) w = new_workspace(L, lua_upvalueindex(2));
  w->taken = true;
  w->out.length = 0;
  return w;
}

/* Gives back what an unusually long URL took. */
static int give(workspace *w, int results)
{
  enum { KEPT = 64 * 1024 };
  if (w->url.text.capacity > KEPT) url_free(&w->url);
  if (w->base.text.capacity > KEPT) url_free(&w->base);
  if (w->out.capacity > KEPT) buffer_free(&w->out);
  w->taken = false;
  return results;
}

static int give_failure(lua_State *L, workspace *w, const char *message)
{
  lua_pushnil(L);
  lua_pushstring(L, message);
  return give(w, 2);
}

static int give_text(lua_State *L, workspace *w, bool written, const buffer *text)
{
  if (!written) {
    w->taken = false;
    return luaL_error(L, "not enough memory");
  }
  lua_pushlstring(L, text->bytes ? text->bytes : "", text->length);
  return give(w, 1);
}

static void set_part(lua_State *L, const url *u, url_part part, bool there, const char *name)
{
  if (!there) return;
  lua_pushlstring(L, url_bytes(u, part), part.length);
  lua_setfield(L, -2, name);
}

/* parse(text) -> {scheme, user, password, host, port, path, query, fragment}, percent-encoded as in the URL;
 * what is absent is nil. Or nil and a message. */
static int parse(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  workspace *w = take_workspace(L);
  error e;
  if (!url_parse(&w->url, text, length, &e)) return give_failure(L, w, e.message);
  const url *u = &w->url;
  lua_createtable(L, 0, 8);
  set_part(L, u, u->scheme, true, "scheme");
  set_part(L, u, u->user, url_has(u->user), "user");
  set_part(L, u, u->password, url_has(u->password), "password");
  set_part(L, u, u->host, url_has(u->host), "host");
  set_part(L, u, u->path, true, "path");
  set_part(L, u, u->query, url_has(u->query), "query");
  set_part(L, u, u->fragment, url_has(u->fragment), "fragment");
  if (u->port || u->port_given) {
    lua_pushnumber(L, u->port);
    lua_setfield(L, -2, "port");
  }
  return give(w, 1);
}

/* normalize(text) -> the URL in canonical form, and whether it can be requested as it is: http or https,
 * without userinfo and fragment. Or nil and a message. */
static int normalize(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  workspace *w = take_workspace(L);
  error e;
  if (!url_parse(&w->url, text, length, &e)) return give_failure(L, w, e.message);
  const buffer *canonical = &w->url.text;
  lua_settop(L, 1);
  if (canonical->length != length || memcmp(canonical->bytes, text, length) != 0)
    lua_pushlstring(L, canonical->bytes, canonical->length);
  lua_pushboolean(L, url_is_bare(&w->url) && url_require_http(&w->url, &e));
  return give(w, 2);
}

/* join(base, reference) -> the absolute URL that the reference means; or nil and a message. */
static int join(lua_State *L)
{
  size_t base_length, length;
  const char *base = luaL_checklstring(L, 1, &base_length), *reference = luaL_checklstring(L, 2, &length);
  workspace *w = take_workspace(L);
  error e;
  if (!url_parse(&w->base, base, base_length, &e) || !url_join(&w->url, &w->base, reference, length, &e))
    return give_failure(L, w, e.message);
  return give_text(L, w, true, &w->url.text);
}

/* origin(text) -> "https://host:port"; or nil and a message. */
static int origin(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  workspace *w = take_workspace(L);
  error e;
  if (!url_parse(&w->url, text, length, &e)) return give_failure(L, w, e.message);
  return give_text(L, w, url_write_origin(&w->url, &w->out), &w->out);
}

/* redact(text) -> the text, which may be a URL or not, without what is secret in a URL. */
static int redact(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  workspace *w = take_workspace(L);
  return give_text(L, w, url_redact(&w->out, text, length), &w->out);
}

/* encode(text) -> all but letters, digits and "-._~" percent-encoded. */
static int encode(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  workspace *w = take_workspace(L);
  return give_text(L, w, url_encode(&w->out, text, length), &w->out);
}

/* decode(text, plus) -> percent-encoding undone, and "+" turned into a space if `plus`. */
static int decode(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  workspace *w = take_workspace(L);
  return give_text(L, w, url_decode(&w->out, text, length, lua_toboolean(L, 2)), &w->out);
}

/* bypasses(list, url) -> whether the list, as no_proxy has it, names the URL's host; or nil and a message. */
static int bypasses(lua_State *L)
{
  size_t list_length, length;
  const char *list = luaL_checklstring(L, 1, &list_length), *text = luaL_checklstring(L, 2, &length);
  workspace *w = take_workspace(L);
  error e;
  if (!url_parse(&w->url, text, length, &e)) return give_failure(L, w, e.message);
  lua_pushboolean(L, no_proxy_names(list, list_length, &w->url));
  return give(w, 1);
}

/* bad_bypass(list) -> the first entry of such a list that makes no sense, or nil */
static int bad_bypass(lua_State *L)
{
  size_t length, bad_length;
  const char *list = luaL_checklstring(L, 1, &length), *bad;
  if (no_proxy_is_valid(list, length, &bad, &bad_length)) return 0;
  lua_pushlstring(L, bad, bad_length);
  return 1;
}

int luaopen_lurcher_native_url(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"parse", parse},   {"normalize", normalize}, {"join", join},
      {"origin", origin}, {"redact", redact},       {"encode", encode},
      {"decode", decode}, {"bypasses", bypasses},   {"bad_bypass", bad_bypass},
      {NULL, NULL},
  };
  lua_settop(L, 0);
  lua_newtable(L);
  lua_newtable(L); /* metatable */
  lua_pushcfunction(L, collect_workspace);
  lua_setfield(L, 2, "__gc");
  new_workspace(L, 2);
  for (const luaL_Reg *f = functions; f->name; f++) {
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, f->func, 2);
    lua_setfield(L, 1, f->name);
  }
  lua_settop(L, 1);
  return 1;
}
