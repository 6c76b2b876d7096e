/* Userdata of lurcher.native.http: each holds one pointer, and knows of what kind it is. */
#ifndef LURCHER_SCRIPT_HTTP_HANDLE_H
#define LURCHER_SCRIPT_HTTP_HANDLE_H

#include <lauxlib.h>

/* Cheaper to check than a metatable in the registry; a request checks three of them. */
typedef enum {
  HTTP_POOL = 0x706f6f6c,
  HTTP_OPTIONS = 0x6f707473,
  HTTP_HEADERS = 0x68656164,
  HTTP_STREAM = 0x73747265,
  HTTP_FILE = 0x66696c65,
  HTTP_UPLOAD = 0x75706c6f,
  HTTP_PROGRESS = 0x70726f67,
  HTTP_PLAYED = 0x706c6179,
  HTTP_TAPE = 0x74617065
} http_tag;

typedef struct {
  http_tag tag;
  void *pointer; /* NULL once closed */
} http_box;

/* The pointer in the userdata at `index`; raises unless it is of that kind and open. */
static inline void *http_handle(lua_State *L, int index, http_tag tag)
{
  const http_box *box = lua_touserdata(L, index);
  /* Of a light userdata the length is 0. */
  if (!box || lua_objlen(L, index) < sizeof *box || box->tag != tag || !box->pointer)
    luaL_argerror(L, index, "not a handle of this kind, or a closed one");
  return box->pointer;
}

/* What makes the metatable of that name by http_make_metatable. */
typedef void (*http_class)(lua_State *L, const char *name);

/* Gives the userdata on top the metatable of that name, which is made for the first one: few scripts have all
 * kinds. Can raise (memory). */
void http_set_class(lua_State *L, const char *name, http_class make);

/* Pushes a box, still empty, of that class. Can raise (memory). */
http_box *http_new_box(lua_State *L, http_tag tag, const char *name, http_class make);

/* Makes a metatable with a finalizer and methods: those given (may be NULL), and those that `more` (may be
 * NULL) puts into the table on top. Can raise (memory); then there is none. */
void http_make_metatable(lua_State *L, const char *name, lua_CFunction gc, const luaL_Reg *methods,
                         void (*more)(lua_State *L));

#endif
