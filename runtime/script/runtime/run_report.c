#include "script/runtime/run_report.h"

#include "core/buffer.h"
#include "script/http/http_network.h"
#include "script/runtime/runtime.h"
#include "script/task/task_report.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long scripts may go on after their last request has ended: to write down what they have. */
static const uint64_t END_LIMIT = 5000 * MILLISECOND;

static lur_runtime *runtime_with(timer *t) { return container_of(t, lur_runtime, report.timer); }

/* Notes what is left, as things are now. */
static void note_used_up(lur_runtime *rt, const error *reason)
{
  run_report *b = &rt->report;
  if (b->used_up) return;
  b->used_up = true;
  b->reason = *reason;
  b->end = loop_update_now(&rt->loop);
  b->waiting = report_waiting(rt, "", 0, false);
  network *n = http_network(rt->L);
  for (const pool *p = n ? n->pools : NULL; p; p = p->next) b->queued += p->waiting;
}

static void on_end_due(timer *t)
{
  runtime_interrupt(runtime_with(t), runtime_with(t)->report.reason.message);
}

static void on_refusal(void *user)
{
  lur_runtime *rt = user;
  note_used_up(rt, &http_network(rt->L)->run_limits.reason);
}

static void on_idle(void *user)
{
  lur_runtime *rt = user;
  timer *t = &rt->report.timer;
  uint64_t due = loop_update_now(&rt->loop) + END_LIMIT;
  if (!timer_active(t) || due < t->due) clock_start(&rt->loop.real, t, due, on_end_due);
}

static void on_time_over(timer *t)
{
  lur_runtime *rt = runtime_with(t);
  error e;
  error_set(&e, ERROR_limit, NULL, "the run's budget of %g s is used up", rt->options.max_seconds);
  e.limit = rt->options.max_seconds;
  network *n = http_network(rt->L);
  if (n) run_limits_refuse(&n->run_limits, &e);
  note_used_up(rt, &e);
  runtime_interrupt(rt, e.message);
}

void run_report_script_started(lur_runtime *rt)
{
  run_report *b = &rt->report;
  if (b->started) return;
  b->started = true;
  b->begin = loop_update_now(&rt->loop);
  double seconds = rt->options.max_seconds;
  if (seconds > 0) clock_start(&rt->loop.real, &b->timer, b->begin + loop_nanoseconds(seconds), on_time_over);
}

/* http_network_watch.made */
static void limit_network(network *n, void *user)
{
  lur_runtime *rt = user;
  run_limits *b = &n->run_limits;
  const lur_options *o = &rt->options;
  if (o->max_requests) b->max_requests = o->max_requests;
  if (o->max_bytes) b->max_bytes = o->max_bytes;
  if (o->max_in_flight && o->max_in_flight < n->max_running) n->max_running = o->max_in_flight;
  if (o->max_body) n->max_body = o->max_body;
  b->on_refusal = on_refusal;
  b->on_idle = on_idle;
  b->user = rt;
  if (rt->report.used_up) run_limits_refuse(b, &rt->report.reason);
  if (atomic_load(&rt->draining)) run_limits_drain(b);
}

void run_report_watch_network(lur_runtime *rt)
{
  http_network_watch *watch = lua_newuserdata(rt->L, sizeof *watch);
  *watch = (http_network_watch){limit_network, rt};
  luaL_ref(rt->L, LUA_REGISTRYINDEX); /* for as long as the state lives */
  http_network_set_watch(rt->L, watch);
}

/* ---- the report ---- */

static bool append(buffer *b, const char *text) { return buffer_append(b, text, strlen(text)); }

static bool append_figures(const lur_runtime *rt, const run_limits *done, buffer *b)
{
  char line[256];
  snprintf(line, sizeof line,
           "\n\trequests made: %llu, refused: %llu; bytes received: %llu; seconds: %.3f"
           "\n\trequests that waited to start then: %llu",
           (unsigned long long)(done ? done->requests : 0), (unsigned long long)(done ? done->refused : 0),
           (unsigned long long)(done ? done->bytes : 0),
           (double)(rt->report.end - rt->report.begin) / NANOSECONDS, (unsigned long long)rt->report.queued);
  return append(b, line);
}

const char *run_report_write(lur_runtime *rt, const char *failure)
{
  run_report *kept = &rt->report;
  const network *n = rt->L ? http_network(rt->L) : NULL;
  buffer b = {0};
  bool fine = append(&b, kept->reason.message) && append_figures(rt, n ? &n->run_limits : NULL, &b);
  if (fine && kept->waiting) fine = append(&b, kept->waiting);
  if (fine && failure) fine = append(&b, "\n") && append(&b, failure);
  if (!fine || !buffer_append(&b, "", 1)) buffer_free(&b);
  free(kept->report);
  kept->report = b.bytes;
  return kept->report ? kept->report : kept->reason.message;
}

const char *lur_budget_report(lur_runtime *rt)
{
  return rt && rt->report.used_up ? run_report_write(rt, NULL) : NULL;
}
