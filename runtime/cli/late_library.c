#include "late_library.h"

#include "output.h"

#include <dlfcn.h>
#include <stdio.h>

static bool find_function(void *library, const late_function *wanted)
{
  void *found = dlsym(library, wanted->name);
  if (found) *(void **)wanted->place = found;
  return found != NULL;
}

bool late_library_load(const char *file, const char *needs, const late_function *functions)
{
  void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
  bool is_whole = library != NULL;
  for (; is_whole && functions->name; functions++) is_whole = find_function(library, functions);
  if (is_whole) return true;
  char text[512];
  const char *why = dlerror();
  snprintf(text, sizeof text, "%s: %s", needs, why ? why : file);
  output_report(text);
  return false;
}
