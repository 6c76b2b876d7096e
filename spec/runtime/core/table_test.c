#include "core/table.h"

#include "core/container_of.h"
#include "support/unit.h"

enum { ITEMS = 1000 };

typedef struct {
  int key;
  table_entry entry;
} item;

static bool same(const table_entry *e, const void *key)
{
  return container_of(e, const item, entry)->key == *(const int *)key;
}

static uint64_t hash_of(int key) { return table_hash(TABLE_HASH_START, &key, sizeof key); }

static item *find(const hash_table *t, int key)
{
  table_entry *e = table_find(t, hash_of(key), same, &key);
  return e ? container_of(e, item, entry) : NULL;
}

static void finds_what_was_added(void)
{
  static item items[ITEMS];
  hash_table t = {0};
  check(!find(&t, 1));
  for (int i = 0; i < ITEMS; i++) {
    items[i].key = i;
    check(table_add(&t, &items[i].entry, hash_of(i)));
  }
  unsigned found = 0;
  for (int i = 0; i < ITEMS; i++) found += find(&t, i) == &items[i];
  check(found == ITEMS && t.count == ITEMS && !find(&t, ITEMS));
  for (int i = 0; i < ITEMS; i += 2) table_remove(&t, &items[i].entry);
  found = 0;
  for (int i = 0; i < ITEMS; i++) found += find(&t, i) == (i % 2 ? &items[i] : NULL);
  check(found == ITEMS && t.count == ITEMS / 2);
  table_free(&t);
  check(!t.count && !find(&t, 1));
}

static void tells_keys_of_one_hash_apart(void)
{
  item items[3] = {{.key = 1}, {.key = 2}, {.key = 3}};
  hash_table t = {0};
  for (int i = 0; i < 3; i++) table_add(&t, &items[i].entry, 7);
  int wanted = 2, other = 4;
  check(table_find(&t, 7, same, &wanted) == &items[1].entry);
  check(!table_find(&t, 7, same, &other) && !table_find(&t, 7 + 16, same, &wanted));
  table_remove(&t, &items[1].entry);
  check(!table_find(&t, 7, same, &wanted));
  table_free(&t);
}

static void walks_over_all(void)
{
  item items[10];
  hash_table t = {0};
  check(!table_next(&t, NULL));
  for (int i = 0; i < 10; i++) {
    items[i].key = i;
    table_add(&t, &items[i].entry, (uint64_t)i / 5 * 15); /* the first and the last bucket */
  }
  int sum = 0;
  for (table_entry *e = table_next(&t, NULL); e; e = table_next(&t, e))
    sum += container_of(e, item, entry)->key;
  check(sum == 45);
  for (table_entry *e = table_next(&t, NULL), *next; e; e = next) {
    next = table_next(&t, e);
    if (container_of(e, item, entry)->key % 2) table_remove(&t, e);
  }
  sum = 0;
  for (table_entry *e = table_next(&t, NULL); e; e = table_next(&t, e))
    sum += container_of(e, item, entry)->key;
  check(sum == 20 && t.count == 5);
  table_free(&t);
}

static void hashes_parts_as_the_whole(void)
{
  check(table_hash(table_hash(TABLE_HASH_START, "ab", 2), "c", 1) == table_hash(TABLE_HASH_START, "abc", 3));
  check(table_hash(TABLE_HASH_START, "", 0) == TABLE_HASH_START);
  check(table_hash(TABLE_HASH_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c)); /* as published for FNV-1a */
}

int main(void)
{
  finds_what_was_added();
  tells_keys_of_one_hash_apart();
  walks_over_all();
  hashes_parts_as_the_whole();
  return unit_end();
}
