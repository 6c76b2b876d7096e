#include "heap.h"

#include <stdint.h>
#include <sys/mman.h>
#ifdef LURCHER_MIMALLOC
#include <mimalloc.h>
#endif

#ifdef LURCHER_MIMALLOC

/* mimalloc gives memory back to the system 25 ms after it is free, and each collection of a busy script's
 * garbage frees some that is wanted again at once: a tenth of the time of small requests went into that. */
static void keep_freed_memory(void)
{
  enum { MILLISECONDS = 50 }; /* 500 cost 12 MB of 180 with 10,000 requests in flight, and saved no more */
#if MI_MALLOC_VERSION < 210   /* Debian 12's: before it got its present name */
  mi_option_set_default(mi_option_decommit_delay, MILLISECONDS);
#else
  mi_option_set_default(mi_option_purge_delay, MILLISECONDS);
#endif
}

#if MI_MALLOC_VERSION < 210
enum { SEGMENT = 32 << 20, TWO_HUGE_PAGES = 4 << 20 }; /* a segment is what mimalloc takes from the system */

/* Room for a segment, aligned as mimalloc wants it; NULL: none. */
static char *reserve_segment(void)
{
  char *room =
      mmap(NULL, 2 * SEGMENT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return NULL;
  size_t before = -(uintptr_t)room % SEGMENT;
  if (before) munmap(room, before);
  munmap(room + before + SEGMENT, SEGMENT - before);
  return room + before;
}

/* A command that makes one request takes 1.2 MB from the system, in 290 pages one by one: a tenth of its
 * time, and more on virtual machines. Two huge pages hold them all, for 3 MB more of memory. */
static void take_first_memory_at_once(void)
{
  char *segment = reserve_segment();
  if (!segment) return;
  madvise(segment, TWO_HUGE_PAGES, MADV_HUGEPAGE); /* where the system has none, all is as it was */
  /* Not committed, so it is told: of what is, mimalloc would give nothing back. */
  mi_manage_os_memory(segment, SEGMENT, false, false, true, -1);
}
#endif

void heap_prepare(void)
{
  keep_freed_memory();
#if MI_MALLOC_VERSION < 210
  take_first_memory_at_once();
#endif
}

#else

void heap_prepare(void) {}

#endif
