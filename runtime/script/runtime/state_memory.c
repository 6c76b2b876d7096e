#include "script/runtime/state_memory.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

/* LuaJIT 2.1 (Debian 12's) crashes where lua_newstate finds no memory for one of its first blocks. So it gets
 * those, 12 KiB in all, from one that is there before it begins; they move out of it when they grow. */
enum { FIRST_BLOCKS = 16 * 1024 };

static void *take_first_block(lur_runtime *rt, size_t size)
{
  size = (size + 15) & ~(size_t)15;
  if (!rt->opening || size > FIRST_BLOCKS - rt->first_used) return NULL;
  void *block = rt->first_blocks + rt->first_used;
  rt->first_used += size;
  return block;
}

static bool is_first_block(const lur_runtime *rt, const void *block)
{
  return (uintptr_t)block - (uintptr_t)rt->first_blocks < FIRST_BLOCKS;
}

static void *move_first_block(lur_runtime *rt, void *block, size_t old_size, size_t size)
{
  void *moved = size == 0 ? NULL : size <= old_size ? block : take_first_block(rt, size);
  if (size > old_size && !moved) moved = malloc(size);
  if (moved && moved != block) memcpy(moved, block, old_size);
  return moved;
}

/* While the state is made, and of blocks that are from then. */
static __attribute__((noinline)) void *allocate_first(lur_runtime *rt, void *block, size_t old_size,
                                                      size_t size)
{
  if (is_first_block(rt, block)) return move_first_block(rt, block, old_size, size);
  if (!block && size) return take_first_block(rt, size);
  if (size) return realloc(block, size);
  free(block);
  return NULL;
}

/* LuaJIT keeps no pointer to the start of the block where it notes a trace's instructions, only one beside
 * it, so it looks lost at the end of the process. To find by the list of suppressions that it is not takes
 * the search for leaks a quarter of a second. */
static void *kept(void *block)
{
#ifdef __SANITIZE_ADDRESS__
  if (block) __lsan_ignore_object(block);
#endif
  return block;
}

static __attribute__((noinline)) void *refuse_block(lur_runtime *rt)
{
  rt->refused = true;
  return NULL;
}

static void *allocate(void *ud, void *block, size_t old_size, size_t size)
{
  lur_runtime *rt = ud;
  void *moved = NULL;
  if (!limits_allow(rt, old_size, size)) return refuse_block(rt);
  if (rt->opening || is_first_block(rt, block))
    moved = allocate_first(rt, block, old_size, size);
  else if (!size)
    free(block);
  else if (block)
    moved = kept(realloc(block, size));
  else
    moved = kept(malloc(size)); /* for a third of the instructions of realloc */
  if (!moved && size) return refuse_block(rt);
  rt->loop.memory.used += size - old_size;
  if (size >= LONG_BLOCK || old_size >= LONG_BLOCK) limits_note_long(rt, old_size, size);
  if (rt->loop.memory.used > rt->loop.memory.peak) rt->loop.memory.peak = rt->loop.memory.used;
  return moved;
}

lua_State *state_memory_new(lur_runtime *rt)
{
  rt->first_blocks = malloc(FIRST_BLOCKS);
  if (!rt->first_blocks) return NULL;
  rt->opening = true;
  lua_State *L = lua_newstate(allocate, rt);
  rt->opening = false;
  return L;
}
