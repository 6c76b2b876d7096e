#include "core/list.h"

#include "support/unit.h"

typedef struct {
  char name;
  list_link link;
} item;

static void make(linked_list *l, item *items, const char *names)
{
  list_init(l);
  for (size_t i = 0; names[i]; i++) {
    items[i] = (item){.name = names[i]};
    list_append(l, &items[i].link);
  }
}

static const char *names_of(const linked_list *l)
{
  static char text[16];
  size_t length = 0;
  list_each (link, l) text[length++] = container_of(link, item, link)->name;
  text[length] = 0;
  return text;
}

static void keeps_the_order(void)
{
  linked_list l;
  item items[4], first = {.name = '0'};
  make(&l, items, "abcd");
  check_string(names_of(&l), "abcd");
  list_prepend(&l, &first.link);
  check_string(names_of(&l), "0abcd");
  check(list_first(&l) == &first.link && list_last(&l) == &items[3].link);
  check(list_first_of(&l, item, link) == &first);
}

static void inserts_in_front_of_a_link(void)
{
  linked_list l;
  item items[2], between = {.name = '-'};
  make(&l, items, "ab");
  list_insert(&items[1].link, &between.link);
  check_string(names_of(&l), "a-b");
}

static void removes_without_knowing_the_list(void)
{
  linked_list l;
  item items[3];
  make(&l, items, "abc");
  list_remove(&items[1].link);
  check(!list_has(&items[1].link) && list_has(&items[0].link));
  list_remove(&items[1].link); /* in no list: nothing happens */
  check_string(names_of(&l), "ac");
  check(list_take_first(&l) == &items[0].link && list_take_first(&l) == &items[2].link);
  check(list_is_empty(&l) && !list_take_first(&l) && !list_first(&l) && !list_last(&l));
  check(!list_first_of(&l, item, link));
  list_append(&l, &items[1].link);
  check_string(names_of(&l), "b");
}

static void lets_a_loop_remove_what_it_is_at(void)
{
  linked_list l;
  item items[5];
  make(&l, items, "abcde");
  list_each_removing (link, &l)
    if (container_of(link, item, link)->name % 2) list_remove(link);
  check_string(names_of(&l), "bd");
  list_each_removing (link, &l) list_remove(link);
  check(list_is_empty(&l));
}

int main(void)
{
  keeps_the_order();
  inserts_in_front_of_a_link();
  removes_without_knowing_the_list();
  lets_a_loop_remove_what_it_is_at();
  return unit_end();
}
