#include "libedit.h"

#include "output.h"

#include <dlfcn.h>
#include <stdio.h>

static const char LIBRARY[] = "libedit.so.2";

libedit_functions libedit;

static bool find(void *library, const char *name, void *place)
{
  return (*(void **)place = dlsym(library, name)) != NULL;
}

bool libedit_load(void)
{
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* for as long as the process runs */
  bool fine = library != NULL;
#define LIBEDIT_FIND(name) fine = fine && find(library, #name, &libedit.name);
  LIBEDIT_FUNCTIONS(LIBEDIT_FIND)
#undef LIBEDIT_FIND
  if (fine) return true;
  char text[256];
  const char *why = dlerror();
  snprintf(text, sizeof text, "the prompt needs libedit (Debian's package libedit2): %s",
           why ? why : LIBRARY);
  output_report(text);
  return false;
}
