#include "complaint.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Whether a terminal may take the byte for a command: C0, DEL, and what follows 0xC2 in the UTF-8 of C1. */
static bool steers(unsigned char before, unsigned char byte)
{
  return byte < 0x20 || byte == 0x7f || (before == 0xc2 && byte < 0xa0);
}

static void say_no_memory(void) { fputs("lurcher: not enough memory\n", stderr); }

/* By one fprintf, which makes one write of it, so that lines of several processes do not mix. */
static void print_line(const char *text, size_t length)
{
  char *shown = malloc(4 * length + 1), *end = shown;
  if (!shown) {
    say_no_memory();
    return;
  }
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (steers(i ? (unsigned char)text[i - 1] : 0, byte))
      end += sprintf(end, "\\x%02x", byte);
    else
      *end++ = text[i];
  }
  *end = '\0';
  fprintf(stderr, "lurcher: %s\n", shown);
  free(shown);
}

void complain(const char *format, ...)
{
  char *text;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (length < 0) {
    say_no_memory();
    return;
  }
  print_line(text, (size_t)length);
  free(text);
}
