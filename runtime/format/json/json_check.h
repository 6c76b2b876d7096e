/* Strict JSON (RFC 8259): says whether a text may be decoded, and where and why not. Plain C, no Lua. */
#ifndef LURCHER_FORMAT_JSON_CHECK_H
#define LURCHER_FORMAT_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arrays and objects within each other, at most. */
enum { JSON_MAX_DEPTH = 1000 };

/* How many items each array and object has, in the order in which they open. All-zero is empty; the memory is
 * used again by the next check. When memory runs out, the further ones are missing. */
typedef struct {
  uint32_t *items;
  size_t count, capacity;
} json_sizes;

void json_sizes_free(json_sizes *sizes);

/* Checks `text`, which must be followed by a NUL byte at text[length]. NULL when it is JSON: UTF-8 without a
 * byte order mark, nested at most JSON_MAX_DEPTH deep, escaped surrogates in pairs, all numbers within a
 * double's range (whole numbers beyond 2^53 only if `big_as_numbers`; they can also be taken as strings).
 * Else what is wrong, a static string, at offset *position (at most `length`). Notes the sizes, unless that
 * is NULL. */
const char *json_check(const char *text, size_t length, bool big_as_numbers, size_t *position,
                       json_sizes *sizes);

#endif
