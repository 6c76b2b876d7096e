/* Lua's patterns, matched in steps that are counted: under the limits of a runtime a pattern that backtracks
 * for ever ends as a loop does. Nothing here owns memory, so errors of Lua may be raised anywhere. */
#ifndef LURCHER_SCRIPT_LIBRARY_MATCH_H
#define LURCHER_SCRIPT_LIBRARY_MATCH_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum { MAX_CAPTURES = 32 };

typedef struct {
  const char *start;
  ptrdiff_t length; /* or one of those of library_match.c: not closed yet; a position */
} library_capture;

typedef struct {
  lua_State *L;
  const char *text, *text_end;
  const char *pattern_end;
  int count; /* of captures */
  int depth; /* how many more levels of recursion there may be */
  unsigned steps;
  int first; /* the character that each match begins with; -1: none that is known */
  library_capture captures[MAX_CAPTURES];
} library_matcher;

void library_match_init(library_matcher *m, lua_State *L, const char *text, size_t length,
                        const char *pattern, size_t pattern_length);

/* Matches the pattern at `at`; where the match ends, or NULL. */
const char *library_match_at(library_matcher *m, const char *at, const char *pattern);

/* The first place from `at` on where the pattern may match; NULL: there is none. */
const char *library_match_skip(const library_matcher *m, const char *at);

/* Pushes one capture of a match; the whole match when there is none and `index` is 0. */
void library_match_push(library_matcher *m, int index, const char *from, const char *to);

/* Pushes all captures, or the whole match (not where `from` is NULL); how many. */
int library_match_push_all(library_matcher *m, const char *from, const char *to);

#endif
