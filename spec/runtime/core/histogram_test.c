#include "core/histogram.h"

#include "support/unit.h"

#include <math.h>
#include <stdlib.h>

static void test_empty(void)
{
  histogram h = {0};
  check(histogram_quantile(&h, 0.5) == 0);
  check(histogram_at_most(&h, 1e9) == 0);
}

static void test_buckets_follow_each_other(void)
{
  for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
    if (!check(histogram_bucket_start(i + 1) > histogram_bucket_start(i))) return;
  check(histogram_bucket_start(0) == 0);
  check(histogram_bucket_start(HISTOGRAM_BUCKETS) == HISTOGRAM_MAX + 1);
}

/* Each bucket's first and last value fall into it, and no other. */
static void test_edges(void)
{
  for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
    histogram h = {0};
    histogram_record(&h, histogram_bucket_start(i));
    histogram_record(&h, histogram_bucket_start(i + 1) - 1);
    if (!check(h.buckets[i] == 2)) return;
  }
}

static void test_one_value_is_every_quantile(void)
{
  histogram h = {0};
  histogram_record(&h, 12345);
  check(histogram_quantile(&h, 0) == 12345);
  check(histogram_quantile(&h, 0.5) == 12345);
  check(histogram_quantile(&h, 1) == 12345);
  check(h.min == 12345 && h.max == 12345 && h.sum == 12345 && h.count == 1);
}

static int compare(const void *a, const void *b)
{
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

/* Against the sorted values themselves, over eight orders of magnitude. */
static void test_quantiles_are_right_within_a_32nd(void)
{
  enum { COUNT = 10000 };
  static uint64_t values[COUNT];
  static const double shares[] = {0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
  histogram h = {0};
  uint64_t state = 1;
  for (int i = 0; i < COUNT; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    values[i] = (uint64_t)pow(10, 1 + 8 * (double)(state >> 40) / (1 << 24));
    histogram_record(&h, values[i]);
  }
  qsort(values, COUNT, sizeof *values, compare);
  for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
    double exact = (double)values[(size_t)ceil(shares[i] * COUNT) - 1];
    double off = fabs(histogram_quantile(&h, shares[i]) - exact) / exact;
    check(off <= 1.0 / 32);
  }
}

static void test_adding(void)
{
  histogram a = {0}, b = {0}, empty = {0};
  for (uint64_t i = 1; i <= 100; i++) histogram_record(i % 2 ? &a : &b, i);
  histogram_add(&a, &b);
  histogram_add(&a, &empty);
  check(a.count == 100 && a.sum == 5050 && a.min == 1 && a.max == 100);
  histogram_add(&empty, &a);
  check(empty.min == 1 && empty.count == 100);
}

static void test_counts_up_to_a_value(void)
{
  histogram h = {0};
  for (uint64_t i = 1; i <= 20; i++) histogram_record(&h, i);
  check(histogram_at_most(&h, 0) == 0);
  check(histogram_at_most(&h, 10) == 10);
  check(histogram_at_most(&h, 20) == 20);
  check(histogram_at_most(&h, INFINITY) == 20);
}

static void test_what_is_beyond_counts_as_the_most(void)
{
  histogram h = {0};
  histogram_record(&h, UINT64_MAX);
  check(h.max == HISTOGRAM_MAX && h.buckets[HISTOGRAM_BUCKETS - 1] == 1);
}

int main(void)
{
  test_empty();
  test_buckets_follow_each_other();
  test_edges();
  test_one_value_is_every_quantile();
  test_quantiles_are_right_within_a_32nd();
  test_adding();
  test_counts_up_to_a_value();
  test_what_is_beyond_counts_as_the_most();
  return unit_end();
}
