/* What went wrong, as plain data: filled where the fault is met, turned into a Lua table at the edge. */
#ifndef LURCHER_CORE_ERROR_H
#define LURCHER_CORE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef enum {
#define ERROR_KIND(name, ...) ERROR_##name,
#include "core/errors.def"
#undef ERROR_KIND
  ERROR_KIND_COUNT
} error_kind;

enum { ERROR_MESSAGE_SIZE = 512, ERROR_CAUSE_SIZE = 256 };

typedef struct {
  error_kind kind;
  const char *phase; /* static string, or NULL: "queue", "connect", "read", … */
  const char *code;  /* static string, or NULL: the libcurl code's or the errno's name */
  double limit;      /* the cap that was passed; 0 when there is none */
  double observed;   /* what was seen instead; 0 when unknown */
  bool retry_safe;   /* it is certain that the peer did not process the request */
  char message[ERROR_MESSAGE_SIZE];
  const char *cause; /* the kind's name of what led to it; NULL: nothing that is known */
  char cause_message[ERROR_CAUSE_SIZE];
} error;

/* What stands where a text was cut, and no character in front of it is a part of one: by it the scripts' side
 * knows the beginning of a secret. */
#define CUT_MARK "…"

/* Arguments for "%.*s%s": at most so many bytes of a text. */
#define SHORTENED(text, most)                                                                                \
  (int)error_fitting(text, most), (text), strlen(text) > (size_t)(most) ? CUT_MARK : ""

/* How many bytes of a text are whole characters within `most`. */
size_t error_fitting(const char *text, size_t most);

/* As vsnprintf, but a text that does not fit ends with CUT_MARK. */
void error_format(char *out, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Sets kind, phase (may be NULL) and the formatted message; clears everything else. A message that does
 * not fit is cut, and ends with CUT_MARK. The arguments may point into `e`. */
void error_set(error *e, error_kind kind, const char *phase, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Says what led to an error that is set. */
void error_set_cause(error *e, error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The kind's name as scripts see it: a static string. */
const char *error_kind_name(error_kind kind);

/* The kind of that name; ERROR_KIND_COUNT when there is none. */
error_kind error_kind_of(const char *name);

#endif
