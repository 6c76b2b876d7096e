#include "libedit.h"

#include "late_library.h"

#include <stddef.h>

libedit_functions libedit;

bool libedit_load(void)
{
#define LIBEDIT_PLACE(name) {#name, &libedit.name},
  static const late_function functions[] = {LIBEDIT_FUNCTIONS(LIBEDIT_PLACE){NULL, NULL}};
#undef LIBEDIT_PLACE
  return late_library_load("libedit.so.2", "the prompt needs libedit (Debian's package libedit2)", functions);
}
