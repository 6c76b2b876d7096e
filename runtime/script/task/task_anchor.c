#include "script/task/task_anchor.h"

#include <lauxlib.h>
#include <stdlib.h>

/* Can raise (memory), before anything has changed. */
static uint32_t take_slot(lua_State *L, lur_runtime *rt, lur_task *t)
{
  if (rt->free_count) {
    uint32_t slot = rt->free_slots[--rt->free_count];
    rt->slots[slot] = t;
    return slot;
  }
  if (rt->slot_count == rt->slot_capacity) {
    uint32_t capacity = rt->slot_capacity ? rt->slot_capacity * 2 : 64;
    lur_task **slots = realloc(rt->slots, capacity * sizeof *slots);
    if (slots) rt->slots = slots;
    uint32_t *free_slots = realloc(rt->free_slots, capacity * sizeof *free_slots);
    if (free_slots) rt->free_slots = free_slots;
    if (!slots || !free_slots) luaL_error(L, "not enough memory");
    rt->slot_capacity = capacity;
  }
  rt->slots[rt->slot_count] = t;
  return rt->slot_count++;
}

static void give_slot(lur_runtime *rt, uint32_t slot)
{
  rt->slots[slot] = NULL;
  rt->free_slots[rt->free_count++] = slot;
}

void task_anchor(lua_State *L, lur_task *t, int handle, int thread)
{
  lur_runtime *rt = t->runtime;
  uint32_t slot = rt->free_count ? rt->free_slots[rt->free_count - 1] : rt->slot_count;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->anchors_ref);
  lua_pushvalue(L, handle);
  lua_rawseti(L, -2, (int)slot * 2 + 1);
  lua_pushvalue(L, thread);
  lua_rawseti(L, -2, (int)slot * 2 + 2);
  lua_pop(L, 1);
  t->anchor = take_slot(L, rt, t);
}

void task_anchor_thread(lua_State *L, lur_task *t, int thread)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->runtime->anchors_ref);
  lua_pushvalue(L, thread);
  lua_rawseti(L, -2, (int)t->anchor * 2 + 2);
  lua_pop(L, 1);
}

void task_unanchor(lur_task *t)
{
  lua_State *L = t->runtime->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->runtime->anchors_ref);
  for (int i = 1; i <= 2; i++) {
    lua_pushnil(L);
    lua_rawseti(L, -2, (int)t->anchor * 2 + i);
  }
  lua_pop(L, 1);
  give_slot(t->runtime, t->anchor);
}

void task_open_anchors(lua_State *L)
{
  lua_newtable(L);
  runtime_of(L)->anchors_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void task_push(lua_State *L, lur_task *t)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->runtime->anchors_ref);
  lua_rawgeti(L, -1, (int)t->anchor * 2 + 1);
  lua_remove(L, -2);
}

void task_push_locals(lua_State *L, int index, lur_task *t)
{
  if (t->has_locals) {
    lua_getfenv(L, index);
    return;
  }
  if (index < 0) index += lua_gettop(L) + 1;
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfenv(L, index);
  t->has_locals = true;
}
