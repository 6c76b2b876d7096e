#include "net/flow/adaptive.h"

#include <math.h>

static const double FIRST_LIMIT = 4, CUT = 0.7, MIN_GRADIENT = 0.5, STARTS_FROM_GRADIENT = 0.9;
static const double SMOOTHING = 0.5;
static const uint64_t BASE_LASTS = UINT64_C(10000000000);
enum { MIN_SAMPLES = 8, MIN_ROUNDS = 30, PROBE_ROUNDS = 2, FAILURES_AT_ANY_LIMIT = 5 };

void adaptive_init(adaptive *a, size_t most, uint64_t now)
{
  *a = (adaptive){.most = (double)most, .round_since = now, .measured_since = now, .starting = true};
  a->limit = a->most < FIRST_LIMIT ? a->most : FIRST_LIMIT;
}

size_t adaptive_slots(const adaptive *a) { return a->limit < 1 ? 1 : (size_t)a->limit; }

static void set_limit(adaptive *a, double limit) { a->limit = fmin(fmax(limit, 1), a->most); }

static size_t round_size(const adaptive *a)
{
  return adaptive_slots(a) > MIN_SAMPLES ? adaptive_slots(a) : MIN_SAMPLES;
}

static void begin_round(adaptive *a, uint64_t now)
{
  a->round_since = now;
  a->sum = 0;
  a->samples = a->overloads = 0;
  a->peak = 0;
}

static void end_probe(adaptive *a, double mean, uint64_t now)
{
  if (--a->probe) return;
  set_limit(a, a->after_probe);
  a->base = mean;
  a->measured_since = now;
  a->rounds = 0;
}

/* What a round says, in which the requests took so long. */
static void learn(adaptive *a, double mean, uint64_t now)
{
  if (a->probe) {
    end_probe(a, mean, now);
    return;
  }
  if (a->base <= 0 || mean < a->base) a->base = mean;
  if ((double)a->peak < a->limit / 2) return;
  double gradient = mean > 0 ? fmax(a->base / mean, MIN_GRADIENT) : 1;
  if (a->starting && gradient > STARTS_FROM_GRADIENT) {
    set_limit(a, a->limit * 2);
    return;
  }
  a->starting = false;
  double wanted = a->limit * gradient + sqrt(a->limit);
  set_limit(a, a->limit + (wanted - a->limit) * SMOOTHING);
  if (++a->rounds < MIN_ROUNDS || now - a->measured_since < BASE_LASTS) return;
  a->probe = PROBE_ROUNDS;
  a->after_probe = a->limit;
  set_limit(a, floor(a->limit / 2));
}

void adaptive_sample(adaptive *a, uint64_t now, uint64_t age, uint64_t latency, size_t in_flight)
{
  a->last = now;
  if (in_flight > a->peak) a->peak = in_flight;
  if (now - age < a->round_since) return;
  a->sum += (double)latency;
  a->samples++;
  if (a->samples < round_size(a)) return;
  learn(a, a->sum / a->samples, now);
  begin_round(a, now);
}

void adaptive_overload(adaptive *a, uint64_t now, uint64_t age)
{
  a->last = now;
  if (now - age < a->round_since) return;
  a->overloads++;
  if (a->overloads * FAILURES_AT_ANY_LIMIT <= round_size(a)) return;
  a->starting = false;
  double from = a->probe ? a->after_probe : a->limit;
  a->probe = 0;
  set_limit(a, from * CUT);
  begin_round(a, now);
}
