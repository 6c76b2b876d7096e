#include "core/error.h"

#include <stdio.h>

static const char *const names[] = {
#define ERROR_KIND(name, ...) #name,
#include "core/errors.def"
#undef ERROR_KIND
};

const char *error_kind_name(error_kind kind) { return names[kind]; }

size_t error_fitting(const char *text, size_t most)
{
  size_t length = strnlen(text, most + 1);
  if (length <= most) return length;
  length = most;
  while (length > 0 && most - length < 3 && ((unsigned char)text[length] & 0xc0) == 0x80) length--;
  return length;
}

void error_format(char *out, size_t size, const char *format, va_list arguments)
{
  int length = vsnprintf(out, size, format, arguments);
  if (length < 0 || (size_t)length < size) return;
  memcpy(out + error_fitting(out, size - sizeof CUT_MARK), CUT_MARK, sizeof CUT_MARK);
}

void error_set(error *e, error_kind kind, const char *phase, const char *format, ...)
{
  va_list arguments;
  char message[ERROR_MESSAGE_SIZE] = ""; /* the arguments may point into the old one */
  va_start(arguments, format);
  error_format(message, sizeof message, format, arguments);
  va_end(arguments);
  *e = (error){.kind = kind, .phase = phase};
  memcpy(e->message, message, strlen(message) + 1);
}

void error_set_cause(error *e, error_kind kind, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  error_format(e->cause_message, sizeof e->cause_message, format, arguments);
  va_end(arguments);
  e->cause = error_kind_name(kind);
}

error_kind error_kind_of(const char *name)
{
  int kind = 0;
  while (kind < ERROR_KIND_COUNT && strcmp(error_kind_name((error_kind)kind), name)) kind++;
  return (error_kind)kind;
}
