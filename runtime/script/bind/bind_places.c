/* lurcher.native.places: where in a file something stands, found by a text. Of the text only a hash is kept,
 * so a place takes 24 to 28 bytes however long the texts are; that two texts of a million have one hash is a
 * chance of one in 30 million.
 *
 * Places have numbers, from 1 on in the order in which they were added. Those of one text are found in that
 * order. */
#include "core/table.h"
#include "script/base/lua_class.h"

#include <lauxlib.h>
#include <stdlib.h>

int luaopen_lurcher_native_places(lua_State *L);

static const char places_name[] = "lurcher.native.places";

enum { FIRST_ROOM = 64, MAX_PLACES = INT32_MAX / 2 };

static const uint32_t USED = UINT32_C(1) << 31;

typedef struct {
  uint32_t hash[2], offset[2];
  uint32_t next; /* in its bucket, a number; 0: none. With USED: it was used */
} place;

typedef struct {
  place *list; /* number 1 is the first */
  uint32_t *heads;
  uint32_t count, room;
  uint32_t buckets; /* a power of two; 0: not sealed */
} places;

static places *check_places(lua_State *L) { return luaL_checkudata(L, 1, places_name); }

static uint64_t check_hash(lua_State *L, int index)
{
  size_t length;
  const char *text = luaL_checklstring(L, index, &length);
  uint64_t hash = table_hash(TABLE_HASH_START, text, length);
  return hash ^ hash >> 32;
}

static place *place_of(const places *p, uint32_t number) { return &p->list[number - 1]; }

static place *check_place(lua_State *L, const places *p)
{
  lua_Integer number = luaL_checkinteger(L, 2);
  luaL_argcheck(L, number >= 1 && number <= (lua_Integer)p->count, 2, "no place has this number");
  return place_of(p, (uint32_t)number);
}

static uint32_t next_of(const place *one) { return one->next & ~USED; }

static void set_next(place *one, uint32_t next) { one->next = next | (one->next & USED); }

static bool is_of(const place *one, uint64_t hash)
{
  return one->hash[0] == (uint32_t)hash && one->hash[1] == (uint32_t)(hash >> 32);
}

/* The first place of the hash from there on; 0: there is none. */
static uint32_t find_from(const places *p, uint32_t number, uint64_t hash)
{
  while (number && !is_of(place_of(p, number), hash)) number = next_of(place_of(p, number));
  return number;
}

static uint32_t find_first(const places *p, uint64_t hash)
{
  return p->buckets ? find_from(p, p->heads[hash & (p->buckets - 1)], hash) : 0;
}

static int push_number(lua_State *L, uint32_t number)
{
  if (number)
    lua_pushinteger(L, (lua_Integer)number);
  else
    lua_pushnil(L);
  return 1;
}

static int places_new(lua_State *L)
{
  places *p = lua_newuserdata(L, sizeof *p);
  *p = (places){0};
  luaL_getmetatable(L, places_name);
  lua_setmetatable(L, -2);
  return 1;
}

static void make_room(lua_State *L, places *p)
{
  if (p->count < p->room) return;
  uint32_t room = p->room ? p->room + p->room / 2 : FIRST_ROOM;
  place *list = p->count < MAX_PLACES ? realloc(p->list, room * sizeof *list) : NULL;
  if (!list) luaL_error(L, "not enough memory");
  p->list = list;
  p->room = room;
}

/* places:add(text, offset) -> its number */
static int places_add(lua_State *L)
{
  places *p = check_places(L);
  uint64_t hash = check_hash(L, 2);
  double given = luaL_checknumber(L, 3);
  luaL_argcheck(L, given >= 0 && given <= 0x1p53, 3, "not an offset");
  luaL_argcheck(L, !p->buckets, 1, "it is sealed");
  make_room(L, p);
  uint64_t offset = (uint64_t)given;
  p->list[p->count] = (place){.hash = {(uint32_t)hash, (uint32_t)(hash >> 32)},
                              .offset = {(uint32_t)offset, (uint32_t)(offset >> 32)}};
  return push_number(L, ++p->count);
}

/* places:seal(): no more are added, and they can be found */
static int places_seal(lua_State *L)
{
  places *p = check_places(L);
  if (p->buckets) return 0;
  uint32_t buckets = 1;
  while (buckets < p->count) buckets *= 2;
  p->heads = calloc(buckets, sizeof *p->heads);
  if (!p->heads) return luaL_error(L, "not enough memory");
  p->buckets = buckets;
  for (uint32_t number = p->count; number > 0; number--) { /* from the end, so that the first comes first */
    place *one = place_of(p, number);
    uint32_t *head = &p->heads[one->hash[0] & (buckets - 1)];
    set_next(one, *head);
    *head = number;
  }
  return 0;
}

/* places:offset(number) -> where it is; nil: there is no such place */
static int places_offset(lua_State *L)
{
  const places *p = check_places(L);
  lua_Integer number = luaL_checkinteger(L, 2);
  if (number < 1 || number > (lua_Integer)p->count) return 0;
  const place *one = place_of(p, (uint32_t)number);
  lua_pushnumber(L, (double)((uint64_t)one->offset[1] << 32 | one->offset[0]));
  return 1;
}

/* places:first(text) -> number or nil */
static int places_first(lua_State *L)
{
  const places *p = check_places(L);
  return push_number(L, find_first(p, check_hash(L, 2)));
}

/* places:next(number) -> the next of the same text, or nil */
static int places_next(lua_State *L)
{
  const places *p = check_places(L);
  const place *one = check_place(L, p);
  return push_number(L, find_from(p, next_of(one), (uint64_t)one->hash[1] << 32 | one->hash[0]));
}

/* Takes it out of its bucket, so that what was used is not looked at again. */
static void unlink_place(places *p, uint32_t number)
{
  place *one = place_of(p, number);
  uint32_t *head = &p->heads[one->hash[0] & (p->buckets - 1)];
  if (*head == number) {
    *head = next_of(one);
    return;
  }
  place *before = place_of(p, *head);
  while (next_of(before) != number) before = place_of(p, next_of(before));
  set_next(before, next_of(one));
}

/* places:take(text, again) -> the first that was not used, and is from now on; and whether it was not. The
 * last of a text goes on to be found; with `again` it is given even when it was used. */
static int places_take(lua_State *L)
{
  places *p = check_places(L);
  uint64_t hash = check_hash(L, 2);
  bool again = lua_toboolean(L, 3);
  uint32_t number = find_first(p, hash), after = number;
  for (; number; number = after) {
    place *one = place_of(p, number);
    bool is_new = !(one->next & USED);
    after = find_from(p, next_of(one), hash);
    if (after) unlink_place(p, number);
    if (!is_new && (after || !again)) continue;
    one->next |= USED;
    push_number(L, number);
    lua_pushboolean(L, is_new);
    return 2;
  }
  return 0;
}

/* places:use(number) -> whether it was not used */
static int places_use(lua_State *L)
{
  place *one = check_place(L, check_places(L));
  lua_pushboolean(L, !(one->next & USED));
  one->next |= USED;
  return 1;
}

/* places:is_used(number) -> boolean */
static int places_is_used(lua_State *L)
{
  lua_pushboolean(L, (check_place(L, check_places(L))->next & USED) != 0);
  return 1;
}

static int places_collect(lua_State *L)
{
  places *p = check_places(L);
  free(p->list);
  free(p->heads);
  *p = (places){0};
  return 0;
}

int luaopen_lurcher_native_places(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"add", places_add},     {"seal", places_seal},       {"offset", places_offset},
      {"first", places_first}, {"next", places_next},       {"take", places_take},
      {"use", places_use},     {"is_used", places_is_used}, {NULL, NULL}};
  class_new(L, places_name, places_collect, methods);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushcfunction(L, places_new);
  lua_setfield(L, -2, "new");
  return 1;
}
