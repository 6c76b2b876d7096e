/* Fields of Lua tables: read from options, written into results. */
#ifndef LURCHER_SCRIPT_LUA_FIELDS_H
#define LURCHER_SCRIPT_LUA_FIELDS_H

#include <lua.h>
#include <stddef.h>

/* Sets a field of the table on top of the stack. Can raise (memory). */
void field_set_number(lua_State *L, const char *name, double value);

/* The same; NULL leaves it unset. */
void field_set_string(lua_State *L, const char *name, const char *value);

typedef struct {
  const char *name;
  double value;
} named_number;

/* Sets several numbers. Can raise (memory). */
void field_set_numbers(lua_State *L, const named_number *numbers, size_t count);

/* The field of the table at `index` as a number; 0 when it is none. */
double field_number(lua_State *L, int index, const char *name);

/* The field of the table at `index` as a size; `none` when it is no number of at least 0. */
size_t field_size(lua_State *L, int index, const char *name, size_t none);

#endif
