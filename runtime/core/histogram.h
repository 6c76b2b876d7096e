/* How values are spread, in little and constant memory: counts of buckets that are exact below 32 and then a
 * sixteenth of their value wide, so that a quantile is off by at most 1/32. Values are whole numbers of
 * whatever unit, here microseconds; those above HISTOGRAM_MAX (71 minutes) count as that. All-zero is empty.
 */
#ifndef LURCHER_CORE_HISTOGRAM_H
#define LURCHER_CORE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MAX UINT64_C(0xffffffff)

enum { HISTOGRAM_BUCKETS = 464 };

typedef struct {
  uint64_t count, sum, min, max;
  uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

/* O(1), a few nanoseconds. */
void histogram_record(histogram *h, uint64_t value);

/* Adds what the other one holds. */
void histogram_add(histogram *h, const histogram *other);

/* The value that a share `q` (0 to 1) of the recorded ones does not pass: the middle of its bucket; 0 when
 * empty. */
double histogram_quantile(const histogram *h, double q);

/* How many of the recorded values are at most `value`, to the resolution of the buckets: one whose middle is
 * above does not count. */
uint64_t histogram_at_most(const histogram *h, double value);

/* The first value of a bucket; that of bucket + 1 ends it. */
uint64_t histogram_bucket_start(size_t bucket);

#endif
