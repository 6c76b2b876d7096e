#include "core/loop/operation.h"

#include "core/loop/loop.h"

static void stop_holding(operation *op)
{
  if (op->holds) loop_release(op->loop);
  op->holds = false;
}

static void job_over(operation *op)
{
  if (op->is_job) op->loop->jobs--;
  op->is_job = false;
}

void operation_begin(operation *op, const operation_class *class, loop *l, bool holds)
{
  *op = (operation){.class = class, .loop = l, .state = OPERATION_PENDING, .holds = holds};
  if (holds) loop_hold(l);
}

void operation_is_job(operation *op)
{
  op->is_job = true;
  op->loop->jobs++;
}

void operation_complete(operation *op)
{
  if (op->state != OPERATION_PENDING) return;
  loop *l = op->loop;
  op->state = OPERATION_READY;
  job_over(op);
  l->completed++;
  list_append(&l->ready, &op->link);
  loop_wake_soon(l);
}

void operation_reset(operation *op)
{
  list_remove(&op->link);
  op->state = OPERATION_IDLE;
  job_over(op);
  stop_holding(op);
}

void operation_abandon(operation *op)
{
  operation_reset(op);
  op->owner = NULL;
  if (op->class->abandon) op->class->abandon(op);
}
