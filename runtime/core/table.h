/* A hash table whose links lie within its elements: several may share a bucket, which is searched in turn.
 * The table stores hashes; the keys are in the elements. All-zero is an empty table. */
#ifndef LURCHER_CORE_TABLE_H
#define LURCHER_CORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct table_entry table_entry;

struct table_entry {
  table_entry *next; /* in its bucket */
  uint64_t hash;
};

typedef struct {
  table_entry **buckets;
  size_t count, capacity; /* buckets: 0 or a power of two */
} hash_table;

/* What table_hash starts with. */
#define TABLE_HASH_START UINT64_C(0xcbf29ce484222325)

/* Goes on hashing: for keys of several parts, the hash of those before. FNV-1a. */
uint64_t table_hash(uint64_t hash, const void *bytes, size_t length);

/* The first entry of this hash for which `same` is true, or NULL. */
table_entry *table_find(const hash_table *t, uint64_t hash,
                        bool (*same)(const table_entry *e, const void *key), const void *key);

/* Adds an entry; it belongs to the caller, and must stay in place. False: out of memory (nothing changed). */
bool table_add(hash_table *t, table_entry *e, uint64_t hash);

/* Takes it out; it must be in. */
void table_remove(hash_table *t, table_entry *e);

/* The entry after `e`, which must be in; after NULL, the first. NULL: there is none. Nothing may be added
 * during a walk; to remove entries, go on to the next one first. */
table_entry *table_next(const hash_table *t, const table_entry *e);

/* Frees the table, which is empty afterwards and can be used again; not the entries. */
void table_free(hash_table *t);

#endif
