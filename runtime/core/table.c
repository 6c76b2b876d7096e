#include "core/table.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

uint64_t table_hash(uint64_t hash, const void *bytes, size_t length)
{
  const unsigned char *byte = bytes;
  for (size_t i = 0; i < length; i++) hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
  return hash;
}

static table_entry **bucket_of(const hash_table *t, uint64_t hash)
{
  return &t->buckets[hash & (t->capacity - 1)];
}

static void link_entry(hash_table *t, table_entry *e)
{
  table_entry **bucket = bucket_of(t, e->hash);
  e->next = *bucket;
  *bucket = e;
}

/* A table that cannot grow goes on with the buckets it has, if it has any. */
static bool grow(hash_table *t)
{
  hash_table old = *t;
  size_t capacity = old.capacity ? old.capacity * 2 : FIRST_CAPACITY;
  table_entry **buckets = calloc(capacity, sizeof(table_entry *));
  if (!buckets) return old.capacity > 0;
  t->buckets = buckets;
  t->capacity = capacity;
  for (size_t i = 0; i < old.capacity; i++)
    for (table_entry *e = old.buckets[i], *next; e; e = next) {
      next = e->next;
      link_entry(t, e);
    }
  free(old.buckets);
  return true;
}

table_entry *table_find(const hash_table *t, uint64_t hash,
                        bool (*same)(const table_entry *e, const void *key), const void *key)
{
  if (!t->capacity) return NULL;
  for (table_entry *e = *bucket_of(t, hash); e; e = e->next)
    if (e->hash == hash && same(e, key)) return e;
  return NULL;
}

bool table_add(hash_table *t, table_entry *e, uint64_t hash)
{
  if (t->count >= t->capacity && !grow(t)) return false;
  e->hash = hash;
  link_entry(t, e);
  t->count++;
  return true;
}

void table_remove(hash_table *t, table_entry *e)
{
  table_entry **place = bucket_of(t, e->hash);
  while (*place != e) place = &(*place)->next;
  *place = e->next;
  t->count--;
}

table_entry *table_next(const hash_table *t, const table_entry *e)
{
  if (e && e->next) return e->next;
  for (size_t i = e ? (e->hash & (t->capacity - 1)) + 1 : 0; i < t->capacity; i++)
    if (t->buckets[i]) return t->buckets[i];
  return NULL;
}

void table_free(hash_table *t)
{
  free(t->buckets);
  *t = (hash_table){0};
}
