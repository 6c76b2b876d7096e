#include "core/histogram.h"

/* Buckets in each doubling of the value: 16, told apart by the four bits below the highest one. */
enum { STEP_BITS = 4, STEPS = 1 << STEP_BITS };

static size_t bucket_for(uint64_t value)
{
  if (value < STEPS) return (size_t)value;
  unsigned doublings = 63 - STEP_BITS - (unsigned)__builtin_clzll(value);
  return doublings * STEPS + (size_t)(value >> doublings);
}

uint64_t histogram_bucket_start(size_t bucket)
{
  if (bucket < 2 * STEPS) return bucket;
  size_t doublings = bucket / STEPS - 1;
  return (uint64_t)(bucket - doublings * STEPS) << doublings;
}

static double middle(size_t bucket)
{
  uint64_t start = histogram_bucket_start(bucket), end = histogram_bucket_start(bucket + 1);
  return ((double)start + (double)(end - 1)) / 2;
}

void histogram_record(histogram *h, uint64_t value)
{
  if (value > HISTOGRAM_MAX) value = HISTOGRAM_MAX;
  if (!h->count || value < h->min) h->min = value;
  if (value > h->max) h->max = value;
  h->count++;
  h->sum += value;
  h->buckets[bucket_for(value)]++;
}

void histogram_add(histogram *h, const histogram *other)
{
  if (!other->count) return;
  if (!h->count || other->min < h->min) h->min = other->min;
  if (other->max > h->max) h->max = other->max;
  h->count += other->count;
  h->sum += other->sum;
  for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) h->buckets[i] += other->buckets[i];
}

double histogram_quantile(const histogram *h, double q)
{
  double rank = q * (double)h->count;
  uint64_t seen = 0;
  for (size_t i = 0; i < HISTOGRAM_BUCKETS && h->count; i++) {
    seen += h->buckets[i];
    if (!h->buckets[i] || (double)seen < rank) continue;
    double value = middle(i);
    if (value < (double)h->min) return (double)h->min;
    return value > (double)h->max ? (double)h->max : value;
  }
  return (double)h->max;
}

uint64_t histogram_at_most(const histogram *h, double value)
{
  uint64_t seen = 0;
  if (value >= (double)h->max) return h->count;
  for (size_t i = 0; i < HISTOGRAM_BUCKETS && middle(i) <= value; i++) seen += h->buckets[i];
  return seen;
}
