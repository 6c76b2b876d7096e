#include "net/curl/header_list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The lines that keep libcurl from adding its own stand before the others, so that a suffix of the list
 * serves a request without body. */
struct header_list {
  unsigned references;
  size_t bytes, count; /* of names and values, of lines */
  bool has_accept, has_content_type, packed;
  struct curl_slist no_accept, no_content_type, no_expect, expect;
  struct curl_slist *lines, **last;
  struct curl_slist *for_proxy;
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

static struct curl_slist *new_line(const char *name, size_t name_length, const char *value,
                                   size_t value_length)
{
  struct curl_slist *line = malloc(sizeof *line);
  char *text = malloc(name_length + value_length + 3);
  if (!line || !text) {
    free(line);
    free(text);
    return NULL;
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
  return line;
}

bool header_list_add(header_list *h, const char *name, size_t name_length, const char *value,
                     size_t value_length)
{
  struct curl_slist *line = new_line(name, name_length, value, value_length);
  if (!line) return false;
  *h->last = line;
  h->last = &line->next;
  h->bytes += name_length + value_length;
  h->count++;
  h->has_accept |= name_length == 6 && !strncasecmp(name, "Accept", 6);
  h->has_content_type |= name_length == 12 && !strncasecmp(name, "Content-Type", 12);
  return true;
}

bool header_list_add_for_proxy(header_list *h, const char *name, size_t name_length, const char *value,
                               size_t value_length)
{
  struct curl_slist *line = new_line(name, name_length, value, value_length);
  if (!line) return false;
  line->next = h->for_proxy;
  h->for_proxy = line;
  return true;
}

struct curl_slist *header_list_lines_for_proxy(header_list *h) { return h->for_proxy; }

size_t header_list_size(const header_list *h, size_t per_line) { return h->bytes + h->count * per_line; }

bool header_list_has(const header_list *h, const char *name)
{
  size_t length = strlen(name);
  for (struct curl_slist *line = h->lines; line; line = line->next)
    if (!strncasecmp(line->data, name, length) && (line->data[length] == ':' || line->data[length] == ';'))
      return true;
  return false;
}

/* ---- packing ---- */

static bool is_named(const struct curl_slist *line, const char *name)
{
  size_t length = strlen(name);
  return !strncasecmp(line->data, name, length) && line->data[length] == ':';
}

/* False for those that libcurl looks for, to keep its own out or to hide them from another host; and for one
 * without value, which has a mark instead of the colon. */
static bool is_inert(const struct curl_slist *line)
{
  static const char *const names[] = {"Accept",  "Host",       "Content-Type", "Content-Length",
                                      "TE",      "Connection", "Expect",       "Transfer-Encoding",
                                      "Upgrade", "Cookie",     "Authorization"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (is_named(line, names[i])) return false;
  return line->data[strcspn(line->data, ":;")] == ':';
}

/* Moves the line at `place` to the end of `text`, if there is one. */
static char *move_text(struct curl_slist **place, char *text)
{
  struct curl_slist *line = *place;
  *place = line->next;
  char *end = stpcpy(text, line->data);
  free(line->data);
  free(line);
  return end;
}

/* Makes a single line, as libcurl sees it, of Accept and all that are inert: libcurl 7.88 compares the name
 * of each line with some ten others, at each request. Without memory for it all stay as they are. */
static void pack(header_list *h)
{
  struct curl_slist **accept = &h->lines, **place;
  h->packed = true;
  while (*accept && !is_named(*accept, "Accept")) accept = &(*accept)->next;
  if (!*accept) return;
  size_t size = strlen((*accept)->data) + 1;
  for (const struct curl_slist *line = h->lines; line; line = line->next)
    if (is_inert(line)) size += strlen(line->data) + 2;
  struct curl_slist *whole = malloc(sizeof *whole);
  char *text = malloc(size), *end = text;
  if (!whole || !text) {
    free(whole);
    free(text);
    return;
  }
  end = move_text(accept, end);
  for (place = &h->lines; *place;)
    if (is_inert(*place))
      end = move_text(place, stpcpy(end, "\r\n"));
    else
      place = &(*place)->next;
  *whole = (struct curl_slist){.data = text, .next = h->lines};
  h->lines = whole;
}

/* Puts `line` before `first`, which is the same in every call. */
static struct curl_slist *before(struct curl_slist *line, struct curl_slist *first)
{
  line->next = first;
  return line;
}

struct curl_slist *header_list_lines(header_list *h, bool with_body, bool expect_continue)
{
  if (!h->packed) pack(h);
  struct curl_slist *first = h->has_accept ? h->lines : before(&h->no_accept, h->lines);
  if (!with_body) return first;
  if (!h->has_content_type) first = before(&h->no_content_type, first);
  return before(expect_continue ? &h->expect : &h->no_expect, first);
}

void header_list_ref(header_list *h) { h->references++; }

static void free_lines(struct curl_slist *line)
{
  for (struct curl_slist *next; line; line = next) {
    next = line->next;
    free(line->data);
    free(line);
  }
}

void header_list_unref(header_list *h)
{
  if (!h || --h->references) return;
  free_lines(h->lines);
  free_lines(h->for_proxy);
  free(h);
}
