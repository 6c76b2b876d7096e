#include "path_rules.h"

#include "complaint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A path whose last name does not exist is where that would be made. */
char *path_rules_resolve(const char *path)
{
  char *found = realpath(path, NULL), *joined = NULL;
  if (found || errno != ENOENT || !*path) return found;
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  size_t name = length;
  while (name && path[name - 1] != '/') name--;
  char *folder = name ? strndup(path, name > 1 ? name - 1 : 1) : strdup(".");
  found = folder ? path_rules_resolve(folder) : NULL;
  if (found &&
      asprintf(&joined, "%s/%.*s", strcmp(found, "/") ? found : "", (int)(length - name), path + name) < 0)
    joined = NULL;
  free(folder);
  free(found);
  return joined;
}

static bool add_path(path_rules *r, char *text)
{
  char **grown = text ? realloc(r->texts, (r->count + 1) * sizeof *grown) : NULL;
  if (!grown) return false;
  r->texts = grown;
  r->texts[r->count++] = text;
  return true;
}

bool path_rules_add(path_rules *r, const char *flag, const char *path)
{
  if (add_path(r, path_rules_resolve(path))) return true;
  complain("%s=%s: there is no such path", flag, path);
  return false;
}

/* No pattern, as others have them: it would allow nothing. */
static bool is_name(const char *text) { return *text && !strpbrk(text, "*=?"); }

bool path_rules_add_names(path_rules *r, const char *flag, const char *names)
{
  char *copy = strdup(names), *rest = copy;
  bool ok = copy != NULL;
  for (char *one; ok && (one = strsep(&rest, ","));)
    ok = is_name(one) && add_path(r, strchr(one, '/') ? path_rules_resolve(one) : strdup(one));
  free(copy);
  if (!ok) complain("%s=%s: give names, not patterns, with commas between", flag, names);
  return ok;
}

void path_rules_note(path_rules *r, const char *text)
{
  char *copy = strdup(text);
  if (!add_path(r, copy)) free(copy);
}

bool path_rules_cover(const path_rules *r, const char *path)
{
  for (size_t i = 0; i < r->count; i++) {
    size_t length = strlen(r->texts[i]);
    bool is_root = length == 1;
    if (!strncmp(path, r->texts[i], length) && (is_root || !path[length] || path[length] == '/')) return true;
  }
  return false;
}

bool path_rules_have(const path_rules *r, const char *name)
{
  for (size_t i = 0; i < r->count; i++)
    if (!strcmp(r->texts[i], name)) return true;
  return false;
}
