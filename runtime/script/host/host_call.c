#include "script/host/host_call.h"

#include "script/host/host_values.h"
#include "script/task/task_report.h"
#include "script/task/task_scope.h"

#include <stdlib.h>
#include <string.h>

/* So many calls that were pended and have ended are kept as they are, the oldest is used first: a host that
 * completes one twice does no harm then. */
enum { KEPT_CALLS = 64 };

/* ---- the calls of a runtime ---- */

static void free_call(lur_call *c)
{
  host_values_free(c);
  if (c->release) c->release(c->ud);
  mailbox_unref(c->mailbox);
  free(c);
}

/* The call is over, and was pended if it was: its task does not wait, and nobody completes it. */
static void retire(lur_call *c)
{
  lur_runtime *rt = c->runtime;
  void (*release)(void *) = c->release;
  void *ud = c->ud;
  mailbox *box = c->mailbox;
  list_remove(&c->link);
  host_values_free(c);
  c->L = NULL;
  c->mailbox = NULL;
  c->release = NULL;
  atomic_store(&c->state, CALL_IDLE);
  if (!c->pended) {
    list_prepend(&rt->idle_calls, &c->link);
    return;
  }
  list_append(&rt->kept_calls, &c->link);
  if (rt->kept_count++ >= KEPT_CALLS) {
    list_link *oldest = list_take_first(&rt->kept_calls);
    rt->kept_count--;
    list_prepend(&rt->idle_calls, oldest);
  }
  if (release) release(ud);
  mailbox_unref(box);
}

/* An error that was raised through a host function (a C++ exception, say), or that its results led to, left
 * its call behind. Live calls lie above the present frame, as C stacks grow downwards. */
static void retire_left_behind(lur_runtime *rt, const void *frame)
{
  for (lur_call *c; (c = list_first_of(&rt->running_calls, lur_call, link)) && c->frame <= frame;) {
    if (atomic_load(&c->state) != CALL_PENDED) {
      retire(c);
      continue;
    }
    int pended = CALL_PENDED; /* the host may still complete it */
    list_remove(&c->link);
    c->L = NULL;
    atomic_store(&c->canceled, true);
    if (!atomic_compare_exchange_strong(&c->state, &pended, CALL_WAITING)) retire(c);
  }
}

static lur_call *take_call(lur_runtime *rt)
{
  list_link *link = list_take_first(&rt->idle_calls);
  lur_call *c = link ? container_of(link, lur_call, link) : calloc(1, sizeof *c);
  if (!c) return NULL;
  c->runtime = rt;
  c->pended = false;
  c->cancel = NULL;
  c->outcome = CALL_GIVES;
  c->result_count = 0;
  atomic_store_explicit(&c->canceled, false, memory_order_relaxed);
  atomic_store_explicit(&c->state, CALL_RUNNING, memory_order_relaxed);
  return c;
}

static void free_all(linked_list *calls)
{
  for (list_link *link; (link = list_take_first(calls));) free_call(container_of(link, lur_call, link));
}

void host_calls_close(lur_runtime *rt)
{
  retire_left_behind(rt, (const void *)UINTPTR_MAX);
  free_all(&rt->idle_calls);
  free_all(&rt->kept_calls);
}

/* ---- a call ---- */

static void on_abandon(operation *op)
{
  lur_call *c = container_of(op, lur_call, op);
  atomic_store(&c->canceled, true);
  switch (atomic_load(&c->state)) {
  case CALL_RETURNED:
  case CALL_ARRIVED:
    retire(c);
    break;
  case CALL_WAITING:
    if (c->cancel) c->cancel(c, c->ud);
    break;
  default: /* its mail is on the way */
    break;
  }
}

static const operation_class host_wait = {"a function of the host", on_abandon};

static void on_arrival(mail *m)
{
  lur_call *c = container_of(m, lur_call, mail);
  atomic_store(&c->state, CALL_ARRIVED);
  if (atomic_load(&c->canceled))
    retire(c);
  else
    operation_complete(&c->op);
}

/* No runtime is left, or will be soon. */
static void on_drop(mail *m) { free_call(container_of(m, lur_call, mail)); }

/* Should pushing the results raise, the call is left behind. */
static int give(lua_State *L, lur_call *c)
{
  c->frame = __builtin_frame_address(0);
  if (!list_has(&c->link)) list_prepend(&c->runtime->running_calls, &c->link);
  int count = host_values_push(L, c);
  call_outcome outcome = c->outcome;
  retire(c);
  return outcome == CALL_RAISES ? report_raise(L, lua_tostring(L, -1)) : count;
}

static int host_results(lua_State *L, operation *op)
{
  operation_reset(op);
  return give(L, container_of(op, lur_call, op));
}

static int wait_for(lua_State *L, lur_call *c)
{
  int pended = CALL_PENDED;
  list_remove(&c->link);
  c->L = NULL;
  operation_begin(&c->op, &host_wait, &c->runtime->loop, true);
  if (!atomic_compare_exchange_strong(&c->state, &pended, CALL_WAITING)) operation_complete(&c->op);
  return task_wait(L, &c->op, host_results);
}

int host_call_start(lua_State *L)
{
  const host_function *function = lua_touserdata(L, lua_upvalueindex(1));
  lur_runtime *rt = runtime_of(L);
  const void *frame = __builtin_frame_address(0);
  retire_left_behind(rt, frame);
  lur_call *c = take_call(rt);
  if (!c) return luaL_error(L, "not enough memory");
  c->L = L;
  c->frame = frame;
  c->argument_count = lua_gettop(L);
  c->task = rt->current && rt->current->script ? rt->current->script->main : NULL;
  list_prepend(&rt->running_calls, &c->link);
  function->fn(c, function->ud);
  limits_called(rt);
  return c->pended ? wait_for(L, c) : give(L, c);
}

/* ---- for the host ---- */

lur_status lur_pend(lur_call *c, void (*cancel)(lur_call *, void *), void (*release)(void *), void *ud)
{
  if (!c || !c->L || atomic_load(&c->state) != CALL_RUNNING) return LUR_INVALID;
  c->cancel = cancel;
  c->release = release;
  c->ud = ud;
  c->pended = true;
  c->mailbox = c->runtime->mailbox;
  mailbox_ref(c->mailbox);
  c->mail = (mail){.arrive = on_arrival, .drop = on_drop};
  atomic_store(&c->state, CALL_PENDED);
  return LUR_OK;
}

void lur_complete(lur_call *c)
{
  if (!c) return;
  int pended = CALL_PENDED, waiting = CALL_WAITING;
  if (atomic_compare_exchange_strong(&c->state, &pended, CALL_RETURNED)) return;
  if (!atomic_compare_exchange_strong(&c->state, &waiting, CALL_MAILED)) return;
  if (!mailbox_post(c->mailbox, &c->mail)) free_call(c);
}

int lur_call_canceled(const lur_call *c) { return c && atomic_load(&c->canceled); }

lur_task *lur_call_task(const lur_call *c) { return c ? c->task : NULL; }
