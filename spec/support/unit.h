/* Checks for plain C test programs. A program calls check(...) as it goes and ends with `return unit_end();`,
 * which prints "N passed, N failed" and gives the exit status. */
#ifndef LURCHER_SPEC_UNIT_H
#define LURCHER_SPEC_UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned unit_passed, unit_failed;

static inline bool unit_check(bool holds, const char *file, int line, const char *expression)
{
  if (holds) {
    unit_passed++;
  } else {
    unit_failed++;
    fprintf(stderr, "%s:%d: %s\n", file, line, expression);
  }
  return holds;
}

static inline bool unit_check_text(const char *got, size_t length, const char *wanted, const char *file,
                                   int line, const char *expression)
{
  bool same = got && length == strlen(wanted) && memcmp(got, wanted, length) == 0;
  unit_check(same, file, line, expression);
  if (!same) {
    fprintf(stderr, "  wanted \"%s\"\n  got    ", wanted);
    if (got)
      fprintf(stderr, "\"%.*s\"\n", (int)length, got);
    else
      fprintf(stderr, "NULL\n");
  }
  return same;
}

static inline bool unit_check_string(const char *got, const char *wanted, const char *file, int line,
                                     const char *expression)
{
  return unit_check_text(got, got ? strlen(got) : 0, wanted, file, line, expression);
}

/* Counts the expression as passed or failed; gives its value, so that `if (!check(p)) return;` works. */
#define check(expression) unit_check((expression), __FILE__, __LINE__, #expression)

/* The same for a text of `length` bytes that should be the string `wanted`. */
#define check_bytes(got, length, wanted) unit_check_text((got), (length), (wanted), __FILE__, __LINE__, #got)

/* The same for a string. */
#define check_string(got, wanted) unit_check_string((got), (wanted), __FILE__, __LINE__, #got)

static inline int unit_end(void)
{
  printf("%u passed, %u failed\n", unit_passed, unit_failed);
  return unit_failed != 0;
}

#endif
