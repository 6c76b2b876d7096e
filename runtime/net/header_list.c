#include "net/header_list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The lines that keep libcurl from adding its own stand before the others, so that a suffix of the list
 * serves a request without body. */
struct header_list {
  unsigned references;
  struct curl_slist no_expect, no_content_type;
  struct curl_slist *lines, **last;
};

header_list *header_list_new(void)
{
  static char no_expect[] = "Expect:", no_content_type[] = "Content-Type:";
  header_list *h = calloc(1, sizeof *h);
  if (!h) return NULL;
  h->references = 1;
  h->last = &h->lines;
  h->no_expect.data = no_expect;
  h->no_content_type.data = no_content_type;
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

struct curl_slist *header_list_lines(header_list *h, bool with_body, bool expect_continue)
{
  if (!with_body) return h->lines;
  struct curl_slist *first = h->lines;
  if (!header_list_has(h, "Content-Type")) {
    h->no_content_type.next = first;
    first = &h->no_content_type;
  }
  if (!expect_continue) {
    h->no_expect.next = first;
    first = &h->no_expect;
  }
  return first;
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
