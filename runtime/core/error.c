#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
#define ERROR_KIND(name) #name,
#include "core/errors.def"
#undef ERROR_KIND
};

const char *error_kind_name(error_kind kind) { return names[kind]; }

void error_set(error *e, error_kind kind, const char *phase, const char *format, ...)
{
  va_list arguments;
  *e = (error){.kind = kind, .phase = phase};
  va_start(arguments, format);
  vsnprintf(e->message, sizeof e->message, format, arguments);
  va_end(arguments);
}
