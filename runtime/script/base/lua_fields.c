#include "script/base/lua_fields.h"

/* Every whole number below it is a double. */
static const double SIZE_LIMIT = 9e15;

void field_set_number(lua_State *L, const char *name, double value)
{
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

void field_set_string(lua_State *L, const char *name, const char *value)
{
  if (!value) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

void field_set_numbers(lua_State *L, const named_number *numbers, size_t count)
{
  for (size_t i = 0; i < count; i++) field_set_number(L, numbers[i].name, numbers[i].value);
}

double field_number(lua_State *L, int index, const char *name)
{
  lua_getfield(L, index, name);
  double value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

size_t field_size(lua_State *L, int index, const char *name, size_t none)
{
  lua_getfield(L, index, name);
  double value = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : -1;
  lua_pop(L, 1);
  return value >= 0 && value < SIZE_LIMIT ? (size_t)value : none;
}
