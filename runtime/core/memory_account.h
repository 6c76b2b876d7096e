/* How much memory one runtime holds: its Lua heap, and what C keeps for it in buffers. */
#ifndef LURCHER_CORE_MEMORY_ACCOUNT_H
#define LURCHER_CORE_MEMORY_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  size_t used, peak;
  size_t limit; /* of all; 0: none */
  bool refused; /* more was asked for than the limit leaves */
} memory_account;

static inline void memory_account_add(memory_account *a, size_t more)
{
  a->used += more;
  if (a->used > a->peak) a->peak = a->used;
}

static inline void memory_account_remove(memory_account *a, size_t less) { a->used -= less; }

/* Whether there is room for `more` bytes that C is about to keep. */
static inline bool memory_account_leaves(memory_account *a, size_t more)
{
  if (!a->limit || (a->used <= a->limit && more <= a->limit - a->used)) return true;
  a->refused = true;
  return false;
}

/* One that held `*held` bytes holds `now`. False: it is more than before, and more than the limit leaves. */
static inline bool memory_account_change(memory_account *a, size_t *held, size_t now)
{
  size_t before = *held;
  *held = now;
  memory_account_remove(a, before);
  memory_account_add(a, now);
  return now <= before || memory_account_leaves(a, 0);
}

#endif
