#include "net/header_list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The lines that keep libcurl from adding its own stand before the others, so that a suffix of the list
 * serves a request without body. */
struct header_list {
  unsigned references;
  bool has_accept, has_content_type;
  struct curl_slist no_accept, no_content_type, no_expect, expect;
  struct curl_slist *lines, **last;
};

header_list *header_list_new(void)
{
  static char no_accept[] = "Accept:", no_content_type[] = "Content-Type:", no_expect[] = "Expect:",
              expect[] = "Expect: 100-continue";
  header_list *h = calloc(1, sizeof *h);
  if (!h) return NULL;
  h->references = 1;
  h->last = &h->lines;
  h->no_accept.data = no_accept;
  h->no_content_type.data = no_content_type;
  h->no_expect.data = no_expect;
  h->expect.data = expect;
  return h;
}

bool header_list_add(header_list *h, const char *name, size_t name_length, const char *value,
                     size_t value_length)
{
  struct curl_slist *line = malloc(sizeof *line);
  char *text = malloc(name_length + value_length + 3);
  if (!line || !text) {
    free(line);
    free(text);
    return false;
  }
  memcpy(text, name, name_length);
  char *end = text + name_length;
  if (value_length) {
    memcpy(end, ": ", 2);
    memcpy(end + 2, value, value_length);
    end += 2 + value_length;
  } else {
    *end++ = ';'; /* libcurl's way to write a header without value */
  }
  *end = 0;
  *line = (struct curl_slist){.data = text};
  *h->last = line;
  h->last = &line->next;
  h->has_accept |= name_length == 6 && !strncasecmp(name, "Accept", 6);
  h->has_content_type |= name_length == 12 && !strncasecmp(name, "Content-Type", 12);
  return true;
}

bool header_list_has(const header_list *h, const char *name)
{
  size_t length = strlen(name);
  for (struct curl_slist *line = h->lines; line; line = line->next)
    if (!strncasecmp(line->data, name, length) && (line->data[length] == ':' || line->data[length] == ';'))
      return true;
  return false;
}

/* Puts `line` before `first`, which is the same in every call. */
static struct curl_slist *before(struct curl_slist *line, struct curl_slist *first)
{
  line->next = first;
  return line;
}

struct curl_slist *header_list_lines(header_list *h, bool with_body, bool expect_continue)
{
  struct curl_slist *first = h->has_accept ? h->lines : before(&h->no_accept, h->lines);
  if (!with_body) return first;
  if (!h->has_content_type) first = before(&h->no_content_type, first);
  return before(expect_continue ? &h->expect : &h->no_expect, first);
}

void header_list_ref(header_list *h) { h->references++; }

void header_list_unref(header_list *h)
{
  if (!h || --h->references) return;
  for (struct curl_slist *line = h->lines, *next; line; line = next) {
    next = line->next;
    free(line->data);
    free(line);
  }
  free(h);
}
