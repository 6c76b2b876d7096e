#include "net/flow/throttle.h"

#include "core/loop/loop.h"

#include <stdio.h>
#include <string.h>

typedef enum { HOLD = 1, QUOTA = 2, RATE = 4, LEARNED = 8, LIMITER = 16 } gate_part;

static const uint64_t SECOND = 1000 * MILLISECOND;
static const uint64_t SHORTEST_SPAN = 100 * MILLISECOND; /* to measure a rate over */
static const uint64_t FORGET_LEARNED = 10000 * MILLISECOND;
static const uint64_t SAME_WINDOW = 1500 * MILLISECOND; /* resets come in whole seconds */
static const double FEW = 10, CUT = 0.7, STEP = 0.1, LEAST_RATE = 1;

static void open_gate(gate *g, uint64_t now)
{
  if (!g->closed_by) return;
  g->closed_for += now - g->closed_since;
  g->closed_by = 0;
  timer_stop(&g->wait);
}

/* Whoever cannot pass now, for want of a slot, no longer waits for a rate. */
static void on_wait_over(timer *t)
{
  gate *g = (gate *)((char *)t - offsetof(gate, wait));
  g->on_open(g);
  uint64_t now = clock_now(g->time);
  if (g->opens_at <= now) open_gate(g, now);
}

static void on_turn(limiter_waiter *w)
{
  gate *g = (gate *)((char *)w - offsetof(gate, turn));
  g->granted = true;
  g->on_open(g);
  if (!g->granted) return;
  g->granted = false;
  if (g->closed_by == LIMITER) open_gate(g, clock_now(g->time));
  limiter_give_back(w->limiter, 1); /* it comes again, and by the number of its arrival will be the first */
}

void gate_init(gate *g, loop_clock *time, double rate, double burst, limiter *shared,
               void (*on_open)(gate *g))
{
  uint64_t now = clock_now(time);
  *g = (gate){.time = time, .on_open = on_open, .shared = shared, .busy_since = now, .second_since = now};
  g->turn.on_turn = on_turn;
  if (rate > 0) g->parts |= RATE;
  if (rate > 0) token_bucket_init(&g->rate, rate, burst, now);
  if (shared) g->parts |= LIMITER;
}

void gate_deinit(gate *g)
{
  timer_stop(&g->wait);
  limiter_leave(&g->turn);
}

/* ---- how much started lately ---- */

static void count_start(gate *g, uint64_t now)
{
  if (now - g->second_since >= SECOND) {
    bool pause = now - g->second_since >= 2 * SECOND;
    g->last_second = pause ? 0 : g->this_second;
    g->this_second = 0;
    g->second_since = pause ? now : g->second_since + SECOND;
    if (pause) g->busy_since = now;
  }
  g->this_second++;
}

/* A second; 0 when there were too few to tell. */
static double recent_rate(const gate *g, uint64_t now)
{
  double count = (double)g->this_second + g->last_second;
  uint64_t span = now - g->second_since + SECOND;
  if (now - g->busy_since < span) span = now - g->busy_since;
  if (span < SHORTEST_SPAN) span = SHORTEST_SPAN;
  return count < FEW ? 0 : count / ((double)span / NANOSECONDS);
}

/* ---- the parts ---- */

static void drop(gate *g, gate_part part) { g->parts &= (uint16_t)~part; }

/* Lets the learned rate grow; false: it is no longer needed. */
static bool grow_learned(gate *g, uint64_t now)
{
  uint64_t since = g->learned_bound > g->learned_cut ? g->learned_bound : g->learned_cut;
  if (now - since >= FORGET_LEARNED) {
    drop(g, LEARNED);
    return false;
  }
  double gained = g->learned_step * (double)(now - g->learned_at) / NANOSECONDS;
  token_bucket_set_rate(&g->learned, now, g->learned.rate + gained);
  g->learned_at = now;
  return true;
}

static uint64_t quota_due(gate *g, uint64_t now)
{
  if (now >= g->quota_until) drop(g, QUOTA);
  bool wait = g->quota_left < 1 && g->quota_until - now <= g->quota_patience;
  return now < g->quota_until && wait ? g->quota_until : now;
}

/* When this part lets the next one through. */
static uint64_t part_due(gate *g, gate_part part, uint64_t now)
{
  bool awaited = g->closed_by == part;
  switch (part) {
  case HOLD:
    if (g->held_until <= now) drop(g, HOLD);
    return g->held_until;
  case QUOTA:
    return quota_due(g, now);
  case RATE:
    return token_bucket_due(&g->rate, now, 1, awaited);
  case LEARNED:
    if (!grow_learned(g, now)) return now;
    return token_bucket_due(&g->learned, now, 1, awaited);
  default:
    return now;
  }
}

static void close_gate(gate *g, gate_part part, uint64_t now, uint64_t opens_at)
{
  if (!g->closed_by) g->closed_since = now;
  g->closed_by = (uint16_t)part;
  g->opens_at = opens_at;
  if (part == LEARNED) g->learned_bound = now;
  if (opens_at == UINT64_MAX) return;
  bool precise = part == RATE || part == LEARNED; /* the waits follow each other, and errors would add up */
  (precise ? clock_start_precise : clock_start)(g->time, &g->wait, opens_at, on_wait_over);
}

/* The limiter comes last, because asking it is taking. */
static bool pass_limiter(gate *g, uint64_t arrival, uint64_t now)
{
  bool waits = limiter_waits(&g->turn); /* for one that came before */
  bool passed = !waits && (g->granted || limiter_take(g->shared, &g->turn, arrival, 1));
  g->granted = false;
  if (!passed) close_gate(g, LIMITER, now, UINT64_MAX);
  return passed;
}

static bool pass_parts(gate *g, uint64_t arrival, uint64_t now)
{
  static const gate_part timed[] = {HOLD, QUOTA, RATE, LEARNED};
  for (size_t i = 0; i < sizeof timed / sizeof *timed; i++) {
    if (!(g->parts & timed[i])) continue;
    uint64_t due = part_due(g, timed[i], now);
    if (due <= now) continue;
    close_gate(g, timed[i], now, due);
    return false;
  }
  if (g->shared && !pass_limiter(g, arrival, now)) return false;
  if (g->parts & RATE) token_bucket_take(&g->rate, 1);
  if (g->parts & LEARNED) token_bucket_take(&g->learned, 1);
  if (g->parts & QUOTA) g->quota_left -= 1;
  open_gate(g, now);
  return true;
}

bool gate_pass(gate *g, uint64_t arrival)
{
  uint64_t now = clock_now(g->time);
  /* Others may come while somebody waits: thousands, whom nothing has to be computed for. */
  if (g->closed_by && g->closed_by != LIMITER && now < g->opens_at) return false;
  if (g->parts && !pass_parts(g, arrival, now)) return false;
  if (!g->parts) open_gate(g, now);
  count_start(g, now);
  return true;
}

void gate_rest(gate *g)
{
  limiter_leave(&g->turn);
  open_gate(g, clock_now(g->time));
}

/* What closes it has changed: whoever waits is to ask again. */
static void reconsider(gate *g)
{
  if (!g->closed_by) return;
  g->opens_at = 0;
  g->on_open(g);
}

/* ---- what servers say ---- */

bool gate_hold(gate *g, double seconds, const char *why)
{
  uint64_t until = clock_now(g->time) + loop_nanoseconds(seconds);
  uint64_t before = g->parts & HOLD ? g->held_until : 0;
  if (seconds > 0 && until <= before) return false;
  g->held_until = until;
  snprintf(g->held_by, sizeof g->held_by, "%s", why);
  g->parts |= HOLD;
  reconsider(g);
  return until > before + SECOND;
}

bool gate_set_quota(gate *g, double remaining, double reset, size_t unread, double patience)
{
  uint64_t now = clock_now(g->time), until = now + loop_nanoseconds(reset);
  bool same = g->parts & QUOTA && now < g->quota_until && until <= g->quota_until + SAME_WINDOW;
  bool waited = same && quota_due(g, now) > now;
  /* Answers overtake each other: within one window the least of what was said is what is known. */
  g->quota_least = same && g->quota_least < remaining ? g->quota_least : remaining;
  g->quota_until = same && g->quota_until > until ? g->quota_until : until;
  g->quota_left = g->quota_least - (double)unread;
  g->quota_patience = loop_nanoseconds(patience);
  g->parts |= QUOTA;
  bool waits = quota_due(g, now) > now;
  reconsider(g);
  return waits && !waited;
}

bool gate_slow_down(gate *g, uint64_t age)
{
  uint64_t now = clock_now(g->time);
  double rate = recent_rate(g, now);
  bool learned = g->parts & LEARNED && grow_learned(g, now);
  if (learned && (now - age <= g->learned_cut || now - g->learned_cut < SECOND)) return false;
  if (learned && (!rate || g->learned.rate < rate)) rate = g->learned.rate;
  if (!rate) return false;
  double slower = rate * CUT > LEAST_RATE ? rate * CUT : LEAST_RATE;
  if (!learned) token_bucket_init(&g->learned, slower, 1, now);
  token_bucket_set_rate(&g->learned, now, slower);
  g->learned_step = rate * STEP > LEAST_RATE ? rate * STEP : LEAST_RATE;
  g->learned_at = g->learned_cut = now;
  g->parts |= LEARNED;
  reconsider(g);
  return true;
}

/* ---- what is told of it ---- */

uint64_t gate_closed_time(const gate *g)
{
  return g->closed_for + (g->closed_by ? clock_now(g->time) - g->closed_since : 0);
}

bool gate_is_fresh(gate *g)
{
  uint64_t now = clock_now(g->time);
  if (g->parts & HOLD && g->held_until > now) return false;
  if (g->parts & QUOTA && g->quota_until > now) return false;
  if (g->parts & LEARNED && grow_learned(g, now)) return false;
  return !(g->parts & RATE) || token_bucket_full(&g->rate, now);
}

double gate_held(const gate *g)
{
  uint64_t now = clock_now(g->time);
  bool held = g->parts & HOLD && g->held_until > now;
  return held ? (double)(g->held_until - now) / NANOSECONDS : 0;
}

double gate_learned_rate(gate *g)
{
  return g->parts & LEARNED && grow_learned(g, clock_now(g->time)) ? g->learned.rate : 0;
}

double gate_quota_left(const gate *g)
{
  if (!(g->parts & QUOTA) || g->quota_until <= clock_now(g->time)) return -1;
  return g->quota_left > 0 ? g->quota_left : 0;
}

void gate_describe(const gate *g, char *text, size_t size)
{
  uint64_t now = clock_now(g->time);
  double left = g->opens_at > now ? (double)(g->opens_at - now) / NANOSECONDS : 0;
  *text = 0;
  switch (g->closed_by) {
  case HOLD:
    snprintf(text, size, "held by %s for %.3g s more", g->held_by, left);
    break;
  case QUOTA:
    snprintf(text, size, "held for %.3g s more because the server's quota is used up", left);
    break;
  case RATE:
    snprintf(text, size, "held by its rate of %.3g/s", g->rate.rate);
    break;
  case LEARNED:
    snprintf(text, size, "held by a rate of %.3g/s, learned from refusals", g->learned.rate);
    break;
  case LIMITER:
    snprintf(text, size, "held by a shared limiter of %.3g/s", g->shared->bucket.rate);
    break;
  default:
    break;
  }
}
