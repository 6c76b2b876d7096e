/* Doubly linked lists whose links lie within their elements: adding never fails, removing needs no search.
 *
 * A list must stay in place, and needs list_init before its first use. A link is all-zero while it is in no
 * list. */
#ifndef LURCHER_CORE_LIST_H
#define LURCHER_CORE_LIST_H

#include "core/container_of.h"

#include <stdbool.h>

typedef struct list_link list_link;

struct list_link {
  list_link *next, *previous;
};

typedef struct {
  list_link ends; /* its `next` is the first link, its `previous` the last; itself when empty */
} linked_list;

static inline void list_init(linked_list *l) { l->ends.next = l->ends.previous = &l->ends; }

static inline bool list_is_empty(const linked_list *l) { return l->ends.next == &l->ends; }

/* Whether the link is in a list. */
static inline bool list_has(const list_link *link) { return link->next != NULL; }

/* Adds a link that is in no list, in front of `next` (a link of a list, or a list's ends). */
static inline void list_insert(list_link *next, list_link *link)
{
  list_link *previous = next->previous;
  link->next = next;
  link->previous = previous;
  previous->next = next->previous = link;
}

static inline void list_append(linked_list *l, list_link *link) { list_insert(&l->ends, link); }
static inline void list_prepend(linked_list *l, list_link *link) { list_insert(l->ends.next, link); }

/* Takes it off the list it is in; a link in no list is left alone. */
static inline void list_remove(list_link *link)
{
  list_link *next = link->next, *previous = link->previous;
  if (!next) return;
  next->previous = previous;
  previous->next = next;
  link->next = link->previous = NULL;
}

/* The first or last link, or NULL. */
static inline list_link *list_first(const linked_list *l) { return list_is_empty(l) ? NULL : l->ends.next; }
static inline list_link *list_last(const linked_list *l)
{
  return list_is_empty(l) ? NULL : l->ends.previous;
}

/* Takes the first link off, or returns NULL. */
static inline list_link *list_take_first(linked_list *l)
{
  list_link *link = l->ends.next, *next = link->next;
  if (link == &l->ends) return NULL;
  l->ends.next = next;
  next->previous = &l->ends;
  link->next = link->previous = NULL;
  return link;
}

/* The element that holds the first link, or NULL. */
#define list_first_of(l, type, member)                                                                       \
  (list_is_empty(l) ? (type *)NULL : container_of((l)->ends.next, type, member))

/* A loop over the links of a list; `link` must stay in the list until the body is over. */
#define list_each(link, l) for (list_link *link = (l)->ends.next; link != &(l)->ends; link = link->next)

/* The same, and the body may remove `link` (and no other). */
#define list_each_removing(link, l)                                                                          \
  for (list_link *link = (l)->ends.next, *after_##link = link->next; link != &(l)->ends;                     \
       link = after_##link, after_##link = link->next)

#endif
