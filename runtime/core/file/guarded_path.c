#include "core/file/guarded_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A path on its way: `found` is known to be without links, `rest` comes behind it. */
typedef struct {
  char found[PATH_MAX];
  char *rest, *next;       /* what is freed, and where it goes on */
  size_t length;           /* of `found` */
  unsigned links, missing; /* so many of the last names are of nothing that is known */
} lookup;

static bool give_up(int number)
{
  errno = number;
  return false;
}

static bool begin(lookup *l, const char *path)
{
  if (!*path) return give_up(ENOENT);
  l->rest = l->next = strdup(path);
  if (!l->rest) return false;
  if (*path == '/') return true;
  if (!getcwd(l->found, sizeof l->found)) return false;
  if (l->found[0] != '/') return give_up(ENOENT);
  l->length = strlen(l->found);
  if (l->length == 1) l->length = 0;
  return true;
}

/* The text of a link stands in the place of its name. */
static bool go_to(lookup *l, const char *text)
{
  char *rest;
  if (++l->links > MAX_LINKS) return give_up(ELOOP);
  if (asprintf(&rest, "%s/%s", text, l->next) < 0) return give_up(ENOMEM);
  free(l->rest);
  l->rest = l->next = rest;
  if (*text == '/') l->length = 0;
  return true;
}

/* Also out of what is not there: an error of its own would tell those who may not ask what is there. */
static void step_up(lookup *l)
{
  if (l->missing) l->missing--;
  while (l->length && l->found[--l->length] != '/') {
  }
}

/* `name` is the next of the path; whether the lookup goes on. */
static bool step(lookup *l, const char *name, size_t length, bool follows)
{
  char text[PATH_MAX];
  size_t before = l->length;
  if (before + 1 + length >= sizeof l->found) return give_up(ENAMETOOLONG);
  l->found[l->length++] = '/';
  memcpy(l->found + l->length, name, length);
  l->length += length;
  l->found[l->length] = '\0';
  if (l->missing) l->missing++;
  if (l->missing || !follows) return true;
  ssize_t size = readlink(l->found, text, sizeof text - 1);
  if (size < 0) {
    l->missing = errno != EINVAL ? 1 : 0;
    return true;
  }
  text[size] = '\0';
  l->length = before;
  return go_to(l, text);
}

static bool look_up(lookup *l, bool follows)
{
  for (;;) {
    l->next += strspn(l->next, "/");
    char *name = l->next;
    size_t length = strcspn(name, "/");
    if (!length) return true;
    bool last = !name[length];
    l->next += length;
    bool ok = true;
    if (length == 2 && !memcmp(name, "..", 2))
      step_up(l);
    else if (length != 1 || *name != '.')
      ok = step(l, name, length, follows || !last);
    if (!ok) return false;
  }
}

/* A pipe or socket has no path: the link to it says "pipe:[123]". */
static bool is_stream(const char *path, const lookup *l)
{
  bool is_standard =
      !strcmp(path, "/dev/stdin") || !strcmp(path, "/dev/stdout") || !strcmp(path, "/dev/stderr");
  return is_standard && l->missing && !strncmp(l->found, "/proc/", 6) && strstr(l->found, "/fd/");
}

char *guarded_path(const char *path, bool follows)
{
  char *text = NULL;
  lookup *l = calloc(1, sizeof *l);
  if (!l) return NULL;
  if (begin(l, path) && look_up(l, follows)) {
    l->found[l->length] = '\0';
    if (is_stream(path, l))
      text = strdup(path);
    else if (asprintf(&text, "/%s", l->length ? l->found : "/") < 0)
      text = NULL;
  }
  int number = errno;
  free(l->rest);
  free(l);
  errno = number;
  return text;
}
