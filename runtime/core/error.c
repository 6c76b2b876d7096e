#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
#define ERROR_KIND(name, ...) #name,
#include "core/errors.def"
#undef ERROR_KIND
};

const char *error_kind_name(error_kind kind) { return names[kind]; }

/* Takes off the part of a UTF-8 character that was cut at the end. */
static void drop_partial_character(char *text, size_t length)
{
  size_t start = length;
  while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) start--;
  if (start == 0) return;
  unsigned char lead = (unsigned char)text[start - 1];
  size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (length - start + 1 < wanted) text[start - 1] = 0;
}

void error_set(error *e, error_kind kind, const char *phase, const char *format, ...)
{
  va_list arguments;
  char message[ERROR_MESSAGE_SIZE] = ""; /* the arguments may point into the old one */
  va_start(arguments, format);
  int length = vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (length >= ERROR_MESSAGE_SIZE) drop_partial_character(message, sizeof message - 1);
  *e = (error){.kind = kind, .phase = phase};
  memcpy(e->message, message, strlen(message) + 1);
}

void error_set_cause(error *e, error_kind kind, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(e->cause_message, sizeof e->cause_message, format, arguments);
  va_end(arguments);
  if (length >= ERROR_CAUSE_SIZE) drop_partial_character(e->cause_message, sizeof e->cause_message - 1);
  e->cause = error_kind_name(kind);
}

error_kind error_kind_of(const char *name)
{
  int kind = 0;
  while (kind < ERROR_KIND_COUNT && strcmp(error_kind_name((error_kind)kind), name)) kind++;
  return (error_kind)kind;
}
