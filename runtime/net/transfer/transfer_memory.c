#include "net/transfer/transfer_memory.h"

#include "core/memory_account.h"

static memory_account *account_of(transfer *t) { return &t->pool->network->loop->memory; }

static size_t held(const transfer *t) { return t->response.raw.all.capacity + t->response.body.all.capacity; }

void transfer_memory_begin(transfer *t) { memory_account_add(account_of(t), held(t)); }
void transfer_memory_end(transfer *t) { memory_account_remove(account_of(t), held(t)); }

/* What is received or decoded now. */
static void note_time(transfer *t)
{
  if (t->response.tape) t->response.tape->now = clock_now(t->time) - t->times.dispatched;
}

/* Counts the change since `before`. False: it is more than the limit leaves. */
static bool count(transfer *t, size_t before, error *e)
{
  memory_account *a = account_of(t);
  size_t now = held(t);
  memory_account_remove(a, before);
  memory_account_add(a, now);
  if (now <= before || memory_account_leaves(a, 0)) return true;
  error_set(e, ERROR_limit, "read", "out of memory: the limit of %zu bytes was reached", a->limit);
  return false;
}

bool transfer_memory_receive(transfer *t, const char *bytes, size_t length, error *e)
{
  size_t before = held(t);
  note_time(t);
  bool well = transfer_response_receive(&t->response, bytes, length, e);
  return count(t, before, e) && well;
}

bool transfer_memory_decode(transfer *t, size_t wanted, error *e)
{
  size_t before = held(t);
  note_time(t);
  bool well = transfer_response_decode(&t->response, wanted, e);
  return count(t, before, e) && well;
}

bool transfer_memory_pour(transfer *t, body_sink *sink, error *e)
{
  size_t before = held(t);
  bool well = transfer_response_pour(&t->response, sink, e);
  count(t, before, e);
  return well;
}
