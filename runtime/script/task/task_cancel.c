#include "script/task/task_cancel.h"

#include "script/base/lua_error.h"
#include "script/task/task_limits.h"
#include "script/task/task_scheduler.h"
#include "script/task/task_scope.h"

#include <stdlib.h>
#include <string.h>

static const operation_class interrupted = {"its cancellation", NULL};

struct cleanup {
  timer timer;
  lur_task *task;
  unsigned depth;
  bool cancelled; /* the task was before it was forced, or is since */
};

const char *task_cleanup_report(const lur_runtime *rt)
{
  return rt->hurried ? "clean-up took longer than 4.5 seconds" : "clean-up took longer than 5 seconds";
}

void task_push_cancellation(lua_State *L, lur_task *t)
{
  error e;
  if (t->stop == STOP_FORCE && t->cleanup)
    error_set(&e, ERROR_canceled, NULL, "%s", task_cleanup_report(t->runtime));
  else if (t->why)
    error_set(&e, ERROR_canceled, NULL, "the task was cancelled: %s", t->why);
  else
    error_set(&e, ERROR_canceled, NULL, "the task was cancelled");
  errors_push(L, &e);
}

int task_raise_canceled(lua_State *L, lur_task *t)
{
  task_push_cancellation(L, t);
  return lua_error(L);
}

/* Gives up what the task waits for, and queues the task, which then raises. An operation that has ended
 * already is kept: a value
 * handed over by another task must not be lost. */
static void interrupt(lur_task *t)
{
  operation *op = t->waiting;
  if (!op || op->state != OPERATION_PENDING) return;
  if (op->class == &task_scope_wait) {
    scope_cancel(t->target, t->why);
    return;
  }
  if (op == &t->op) {
    timer_stop(&t->timer);
    if (op->class->abandon) op->class->abandon(op);
    operation_reset(op);
  } else {
    operation_abandon(op);
  }
  t->waiting = NULL;
  t->given_up = WAIT_CANCELED;
  task_queue(t, &interrupted);
}

void task_cancel(lur_task *t, const char *why)
{
  if (task_ended(t)) return;
  if (t->cleanup) t->cleanup->cancelled = true;
  if (t->in_cleanup) return;
  if (t->stop == STOP_NONE) t->stop = STOP_CANCEL;
  if (!t->why && why) t->why = strdup(why);
  if (task_must_stop(t)) interrupt(t);
}

void task_force(lur_task *t)
{
  if (task_ended(t)) return;
  if (t->cleanup && t->stop == STOP_CANCEL) t->cleanup->cancelled = true;
  t->forced = t->runtime->closing || t->stop == STOP_CANCEL || (t->cleanup && t->cleanup->cancelled);
  t->stop = STOP_FORCE;
  interrupt(t);
}

void task_refuse(lur_task *t)
{
  operation *op = t->waiting;
  if (!op) return;
  t->waits_for = op->class->name;
  timer_stop(&t->timer);
  operation_abandon(op);
  t->waiting = NULL;
  t->given_up = WAIT_REFUSED;
}

static void on_cleanup_due(timer *expired) { task_force(container_of(expired, cleanup, timer)->task); }

bool task_begin_cleanup(lur_task *t)
{
  if (!t->cleanup) {
    cleanup *c = calloc(1, sizeof *c);
    loop *l = &t->runtime->loop;
    loop_clock *time = clock_of(t);
    loop_update_now(l);
    if (!c || !clock_start(time, &c->timer, clock_now(time) + 5000 * MILLISECOND, on_cleanup_due)) {
      free(c);
      return false;
    }
    c->task = t;
    t->cleanup = c;
    loop_hold(l);
  }
  t->cleanup->depth++;
  t->shield++;
  limits_cleanup_begins(t);
  return true;
}

void task_end_cleanup(lur_task *t)
{
  t->shield--;
  if (--t->cleanup->depth > 0) return;
  limits_cleanup_ends(t);
  timer_stop(&t->cleanup->timer);
  loop_release(&t->runtime->loop);
  if (t->stop == STOP_FORCE && !t->runtime->closing)
    t->stop = t->cleanup->cancelled ? STOP_CANCEL : STOP_NONE;
  free(t->cleanup);
  t->cleanup = NULL;
}

void task_drop_cleanup(lur_task *t)
{
  if (!t->cleanup) return;
  t->cleanup->depth = 1;
  task_end_cleanup(t);
}
