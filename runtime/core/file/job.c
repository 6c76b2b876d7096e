#include "core/file/job.h"

static void on_work(uv_work_t *request)
{
  job *j = request->data;
  j->work(j);
}

static void on_done(uv_work_t *request, int status)
{
  (void)status;
  job *j = request->data;
  j->running = false;
  j->done(j);
}

void job_start(job *j, uv_loop_t *uv, job_fn work, job_fn done)
{
  j->request.data = j;
  j->work = work;
  j->done = done;
  j->running = true;
  atomic_store_explicit(&j->stopped, false, memory_order_relaxed);
  uv_queue_work(uv, &j->request, on_work, on_done); /* fails only without a work callback */
}

void job_stop(job *j)
{
  atomic_store_explicit(&j->stopped, true, memory_order_relaxed);
  uv_cancel((uv_req_t *)&j->request); /* fails when it runs already: then the flag ends it */
}

bool job_check_stopped(job *j, error *e)
{
  if (!job_stopped(j)) return false;
  error_set(e, ERROR_canceled, NULL, "the work was stopped");
  return true;
}
