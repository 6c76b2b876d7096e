#include "script/library/library_match.h"

#include "script/task/task_limits.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

enum { OPEN = -1, POSITION = -2 };

/* As in LuaJIT: each level costs C stack. */
enum { MAX_LEVELS = 200 };

/* So many steps are charged at once: a step takes about as long as an instruction of Lua. */
enum { STEPS = 256 };

static const char ESCAPE = '%';

static int first_of(const char *p, const char *end)
{
  if (p == end || strchr("^$()%.[", *p)) return -1;
  return p + 1 < end && strchr("*?-", p[1]) ? -1 : (unsigned char)*p;
}

void library_match_init(library_matcher *m, lua_State *L, const char *text, size_t length,
                        const char *pattern, size_t pattern_length)
{
  m->L = L;
  m->text = text;
  m->text_end = text + length;
  m->pattern_end = pattern + strnlen(pattern, pattern_length); /* as in Lua 5.1 */
  m->count = 0;
  m->depth = MAX_LEVELS;
  m->steps = 0;
  m->first = first_of(pattern, m->pattern_end);
}

const char *library_match_skip(const library_matcher *m, const char *at)
{
  return m->first < 0 ? at : memchr(at, m->first, (size_t)(m->text_end - at));
}

static inline void count_step(library_matcher *m)
{
  if (++m->steps < STEPS) return;
  m->steps = 0;
  limits_charge(m->L, STEPS);
}

/* ---- single characters ---- */

/* Where the item that begins at `p` ends: a character, an escape, or a set. */
static const char *item_end(library_matcher *m, const char *p)
{
  char first = *p++;
  if (first == ESCAPE) {
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 1;
  }
  if (first != '[') return p;
  if (p < m->pattern_end && *p == '^') p++;
  do { /* the first may be ']' itself */
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
    if (*p++ == ESCAPE && p < m->pattern_end) p++;
  } while (p == m->pattern_end || *p != ']');
  return p + 1;
}

static bool is_of_class(unsigned char c, unsigned char class)
{
  bool is;
  switch (tolower(class)) {
  case 'a':
    is = c < 128 && isalpha(c);
    break;
  case 'c':
    is = c < 128 && iscntrl(c);
    break;
  case 'd':
    is = c >= '0' && c <= '9';
    break;
  case 'g':
    is = c > ' ' && c < 127;
    break;
  case 'l':
    is = c >= 'a' && c <= 'z';
    break;
  case 'p':
    is = c < 128 && ispunct(c);
    break;
  case 's':
    is = c == ' ' || (c >= '\t' && c <= '\r');
    break;
  case 'u':
    is = c >= 'A' && c <= 'Z';
    break;
  case 'w':
    is = c < 128 && isalnum(c);
    break;
  case 'x':
    is = c < 128 && isxdigit(c);
    break;
  case 'z':
    is = c == 0;
    break;
  default:
    return c == class;
  }
  return (class >= 'A' && class <= 'Z') ? !is : is;
}

/* Whether the set from '[' at `p` to ']' at `last` has the character. */
static bool is_in_set(unsigned char c, const char *p, const char *last)
{
  bool wanted = true;
  if (p[1] == '^') {
    wanted = false;
    p++;
  }
  while (++p < last) {
    if (*p == ESCAPE) {
      p++;
      if (is_of_class(c, (unsigned char)*p)) return wanted;
    } else if (p[1] == '-' && p + 2 < last) {
      if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2]) return wanted;
      p += 2;
    } else if ((unsigned char)*p == c) {
      return wanted;
    }
  }
  return !wanted;
}

static bool is_one(library_matcher *m, const char *at, const char *p, const char *end)
{
  if (at >= m->text_end) return false;
  count_step(m);
  unsigned char c = (unsigned char)*at;
  switch (*p) {
  case '.':
    return true;
  case '%':
    return is_of_class(c, (unsigned char)p[1]);
  case '[':
    return is_in_set(c, p, end - 1);
  default:
    return (unsigned char)*p == c;
  }
}

/* ---- items ---- */

static const char *match(library_matcher *m, const char *at, const char *p);

/* "%bxy" */
static const char *match_balanced(library_matcher *m, const char *at, const char *p)
{
  if (m->pattern_end - p < 2) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
  if (at >= m->text_end || *at != p[0]) return NULL;
  int open = 1;
  for (const char *s = at + 1; s < m->text_end; s++) {
    count_step(m);
    if (*s == p[1]) {
      if (--open == 0) return s + 1;
    } else if (*s == p[0]) {
      open++;
    }
  }
  return NULL;
}

/* "x*", "x+": as many as there are, then fewer. */
static const char *match_most(library_matcher *m, const char *at, const char *p, const char *end, int least)
{
  ptrdiff_t count = 0;
  while (is_one(m, at + count, p, end)) count++;
  for (; count >= least; count--) {
    count_step(m);
    const char *matched = match(m, at + count, end + 1);
    if (matched) return matched;
  }
  return NULL;
}

/* "x-" */
static const char *match_fewest(library_matcher *m, const char *at, const char *p, const char *end)
{
  for (;; at++) {
    count_step(m);
    const char *matched = match(m, at, end + 1);
    if (matched) return matched;
    if (!is_one(m, at, p, end)) return NULL;
  }
}

static const char *open_capture(library_matcher *m, const char *at, const char *p, int what)
{
  if (m->count >= MAX_CAPTURES) luaL_error(m->L, "too many captures");
  m->captures[m->count] = (library_capture){at, what};
  m->count++;
  const char *matched = match(m, at, p);
  if (!matched) m->count--;
  return matched;
}

static const char *close_capture(library_matcher *m, const char *at, const char *p)
{
  int i = m->count - 1;
  while (i >= 0 && m->captures[i].length != OPEN) i--;
  if (i < 0) luaL_error(m->L, "invalid pattern capture");
  m->captures[i].length = at - m->captures[i].start;
  const char *matched = match(m, at, p);
  if (!matched) m->captures[i].length = OPEN;
  return matched;
}

/* "%1": what that capture has once more. */
static const char *match_again(library_matcher *m, const char *at, char digit)
{
  int i = digit - '1';
  if (i < 0 || i >= m->count || m->captures[i].length == OPEN) luaL_error(m->L, "invalid capture index");
  ptrdiff_t length = m->captures[i].length;
  if (length == POSITION) return NULL;
  limits_charge(m->L, (size_t)length / 16);
  bool same = m->text_end - at >= length && memcmp(m->captures[i].start, at, (size_t)length) == 0;
  return same ? at + length : NULL;
}

/* "%f[set]": where the set begins to hold. */
static bool is_frontier(library_matcher *m, const char *at, const char *set, const char *end)
{
  unsigned char before = at == m->text ? 0 : (unsigned char)at[-1];
  unsigned char here = at < m->text_end ? (unsigned char)*at : 0;
  return !is_in_set(before, set, end - 1) && is_in_set(here, set, end - 1);
}

static const char *frontier_set(library_matcher *m, const char *p)
{
  if (p >= m->pattern_end || *p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
  return item_end(m, p);
}

/* The pattern from `p` on at `at`. What needs no way back is a turn of this loop, the rest a call. */
static const char *match_on(library_matcher *m, const char *at, const char *p)
{
  while (p < m->pattern_end) {
    count_step(m);
    if (*p == '(')
      return p + 1 < m->pattern_end && p[1] == ')' ? open_capture(m, at, p + 2, POSITION)
                                                   : open_capture(m, at, p + 1, OPEN);
    if (*p == ')') return close_capture(m, at, p + 1);
    if (*p == '$' && p + 1 == m->pattern_end) return at == m->text_end ? at : NULL;
    if (*p == ESCAPE && p + 1 < m->pattern_end) {
      char what = p[1];
      if (what == 'b') {
        at = match_balanced(m, at, p + 2);
        if (!at) return NULL;
        p += 4;
        continue;
      }
      if (what == 'f') {
        const char *set = p + 2, *set_end = frontier_set(m, set);
        if (!is_frontier(m, at, set, set_end)) return NULL;
        p = set_end;
        continue;
      }
      if (what >= '0' && what <= '9') {
        at = match_again(m, at, what);
        if (!at) return NULL;
        p += 2;
        continue;
      }
    }
    const char *end = item_end(m, p);
    char how = end < m->pattern_end ? *end : 0;
    if (how == '*') return match_most(m, at, p, end, 0);
    if (how == '+') return match_most(m, at, p, end, 1);
    if (how == '-') return match_fewest(m, at, p, end);
    bool is = is_one(m, at, p, end);
    if (how == '?') {
      const char *matched = is ? match(m, at + 1, end + 1) : NULL;
      if (matched) return matched;
      p = end + 1;
      continue;
    }
    if (!is) return NULL;
    at++;
    p = end;
  }
  return at;
}

static const char *match(library_matcher *m, const char *at, const char *p)
{
  if (m->depth-- == 0) luaL_error(m->L, "pattern too complex");
  const char *matched = match_on(m, at, p);
  m->depth++;
  return matched;
}

const char *library_match_at(library_matcher *m, const char *at, const char *pattern)
{
  m->count = 0;
  m->depth = MAX_LEVELS;
  return match(m, at, pattern);
}

/* ---- what was captured ---- */

void library_match_push(library_matcher *m, int index, const char *from, const char *to)
{
  if (index >= m->count) {
    if (index != 0) luaL_error(m->L, "invalid capture index");
    lua_pushlstring(m->L, from, (size_t)(to - from));
    return;
  }
  const library_capture *c = &m->captures[index];
  if (c->length == OPEN) luaL_error(m->L, "unfinished capture");
  if (c->length == POSITION)
    lua_pushinteger(m->L, c->start - m->text + 1);
  else
    lua_pushlstring(m->L, c->start, (size_t)c->length);
}

int library_match_push_all(library_matcher *m, const char *from, const char *to)
{
  int count = m->count == 0 && from ? 1 : m->count;
  luaL_checkstack(m->L, count, "too many captures");
  for (int i = 0; i < count; i++) library_match_push(m, i, from, to);
  return count;
}
