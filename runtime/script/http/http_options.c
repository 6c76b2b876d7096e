#include "script/http/http_options.h"

#include "core/file/guarded.h"
#include "core/file/guarded_path.h"
#include "core/loop/loop.h"
#include "net/transfer/transfer_options.h"
#include "script/http/http_handle.h"
#include "script/task/task_permit.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *name;
  size_t offset;
} field;

static const field times[] = {
#define TIME(name) {#name, offsetof(transfer_options, name)},
#include "net/transfer/transfer_options.def"
};

static const field sizes[] = {
#define SIZE(name) {#name, offsetof(transfer_options, name)},
#include "net/transfer/transfer_options.def"
};

static const field flags[] = {
#define FLAG(name) {#name, offsetof(transfer_options, name)},
#include "net/transfer/transfer_options.def"
};

/* By transfer_text. */
static const char *const texts[] = {
#define TEXT(id, name, option, splits) name,
#include "net/transfer/transfer_options.def"
};

typedef struct {
  const char *name;
  int value;
} choice;

static const choice versions[] = {
#define HTTP_VERSION(text, value, curl_value) {text, value},
#include "net/transfer/transfer_options.def"
    {NULL, 0}};
static const choice tls_versions[] = {
#define TLS_VERSION(text, value, curl_value) {text, value},
#include "net/transfer/transfer_options.def"
    {NULL, 0}};
static const choice addresses[] = {
#define IP_VERSION(text, value, curl_value) {text, value},
#include "net/transfer/transfer_options.def"
    {NULL, 0}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int choose(lua_State *L, const char *name, const choice *choices, int none)
{
  lua_getfield(L, 1, name);
  const char *text = lua_tostring(L, -1);
  int value = none;
  if (text) {
    while (choices->name && strcmp(choices->name, text) != 0) choices++;
    if (!choices->name) luaL_error(L, "unknown %s '%s'", name, text);
    value = choices->value;
  }
  lua_pop(L, 1);
  return value;
}

static void read_numbers(lua_State *L, transfer_options *o)
{
  for (size_t i = 0; i < COUNT(times); i++) {
    lua_getfield(L, 1, times[i].name);
    if (lua_isnumber(L, -1))
      *(uint64_t *)((char *)o + times[i].offset) = loop_nanoseconds(lua_tonumber(L, -1));
    lua_pop(L, 1);
  }
  for (size_t i = 0; i < COUNT(sizes); i++) {
    lua_getfield(L, 1, sizes[i].name);
    double value = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : -1;
    if (value >= 0 && value < 9e15) *(size_t *)((char *)o + sizes[i].offset) = (size_t)value;
    lua_pop(L, 1);
  }
  for (size_t i = 0; i < COUNT(flags); i++) {
    lua_getfield(L, 1, flags[i].name);
    if (lua_isboolean(L, -1)) *(bool *)((char *)o + flags[i].offset) = lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
}

static bool has_control_or_space(const char *text)
{
  for (const unsigned char *at = (const unsigned char *)text; *at; at++)
    if (*at <= 0x20 || *at == 0x7f) return true;
  return false;
}

static bool read_texts(lua_State *L, transfer_options *o)
{
  bool ok = true;
  for (size_t i = 0; i < COUNT(texts); i++) {
    lua_getfield(L, 1, texts[i]);
    if (lua_isstring(L, -1)) {
      size_t length;
      const char *text = lua_tolstring(L, -1, &length);
      if (strlen(text) < length) luaL_error(L, "%s must not hold NUL bytes", texts[i]);
      ok = transfer_options_set_text(o, (transfer_text)i, text) && ok;
    }
    lua_pop(L, 1);
  }
  const char *target = o->texts[OPTION_RAW_TARGET], *name = o->texts[OPTION_SERVER_NAME];
  if (target && (!*target || has_control_or_space(target)))
    luaL_error(L, "raw_target must not be empty nor hold spaces or control characters");
  if (name && (!*name || has_control_or_space(name) || strpbrk(name, ":/?#@[]")))
    luaL_error(L, "tls.server_name must be a host name");
  return ok;
}

/* resolve = { ["host:port"] = "address" } */
static bool read_resolve(lua_State *L, transfer_options *o)
{
  bool ok = true;
  lua_getfield(L, 1, "resolve");
  if (lua_istable(L, -1))
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 2)) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2); /* key, key, value */
      if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "resolve maps \"host:port\" to an address");
      const char *entry = lua_pushfstring(L, "%s:%s", lua_tostring(L, -2), lua_tostring(L, -1));
      ok = transfer_options_add_resolve(o, entry) && ok;
      lua_pop(L, 1);
    }
  lua_pop(L, 1);
  return ok;
}

/* The files of TLS under names that follow no link, for transfer_permit_begin. */
static bool resolve_files(lua_State *L, transfer_options *o)
{
  bool ok = true;
  for (size_t i = 0; task_permit(L) && i < TRANSFER_FILES; i++) {
    const char *path = o->texts[transfer_files[i]];
    char *found = path ? guarded_path(path, true) : NULL;
    if (found) ok = transfer_options_set_text(o, transfer_files[i], guarded_name(found)) && ok;
    free(found);
  }
  return ok;
}

static int options_gc(lua_State *L)
{
  http_box *box = lua_touserdata(L, 1);
  transfer_options_unref(box->pointer);
  box->pointer = NULL;
  return 0;
}

static void options_class(lua_State *L, const char *name)
{
  http_make_metatable(L, name, options_gc, NULL, NULL);
}

int http_new_options(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  http_box *box = http_new_box(L, HTTP_OPTIONS, "lurcher.http.options", options_class);
  transfer_options *o = box->pointer = transfer_options_new();
  if (!o) return luaL_error(L, "not enough memory");
  o->version = (http_version)choose(L, "http_version", versions, HTTP_AUTO);
  o->tls_min = (tls_version)choose(L, "min", tls_versions, TLS_1_2);
  o->proxy_tls_min = (tls_version)choose(L, "proxy_min", tls_versions, TLS_1_2);
  o->ip = (ip_version)choose(L, "ip", addresses, IP_ANY);
  read_numbers(L, o);
  if (!read_texts(L, o) || !resolve_files(L, o) || !read_resolve(L, o) || !transfer_options_seal(o))
    return luaL_error(L, "not enough memory");
  return 1;
}
