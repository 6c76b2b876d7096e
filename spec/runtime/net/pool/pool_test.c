/* Which requests may run now, with requests that only note when they start and end: no libcurl, no socket. */
#include "net/pool/pool.h"

#include "net/pool/pool_idle.h"
#include "support/unit.h"

enum { MANY = 18 };

typedef struct {
  admission admission;
  char name;
  error why; /* kind ERROR_KIND_COUNT: it was not ended */
} request;

static loop l;
static network *net;
static request requests[MANY];
static char journal[64]; /* a name for each start, a name in capitals for each end */

static void note(char what)
{
  size_t length = strlen(journal);
  journal[length] = what;
  journal[length + 1] = 0;
}

static void on_start(admission *a, CURLSH *share)
{
  (void)share;
  note(container_of(a, request, admission)->name);
}

static void on_end(admission *a, const error *why)
{
  request *r = container_of(a, request, admission);
  r->why = *why;
  note((char)(r->name - 'a' + 'A'));
  pool_leave(a, NULL);
}

static const admission_class noting = {on_start, on_end};

static void on_ready(operation *op, void *user) { (void)op, (void)user; }
static void on_closed(void *user) { (void)user; }

static pool *open_pool(pool_limits limits)
{
  journal[0] = 0;
  memset(requests, 0, sizeof requests);
  check(loop_init(&l, NULL, NULL) == 0);
  l.on_ready = on_ready;
  net = network_new(&l);
  return pool_new(net, &limits);
}

static void close_pool(pool *p)
{
  for (int i = 0; i < MANY; i++) {
    if (!requests[i].name) continue;
    pool_leave(&requests[i].admission, NULL);
    pool_forget(&requests[i].admission);
  }
  check(p->in_flight == 0 && p->waiting == 0 && net->running == 0);
  pool_unref(p);
  network_unref(net);
  loop_close(&l, on_closed);
  loop_run(&l);
  loop_deinit(&l);
}

/* Submits request number `i`, which the journal calls by that letter of the alphabet. */
static admission *submit_as(pool *p, int i, const char *text, const char *identity, const char *label,
                            int priority)
{
  url u = {0};
  error e;
  request *r = &requests[i];
  *r = (request){.name = (char)('a' + i), .why.kind = ERROR_KIND_COUNT};
  r->admission.class = &noting;
  r->admission.item.priority = (int8_t)priority;
  check(url_parse(&u, text, strlen(text), &e));
  pool_target to = {.url = &u, .identity = identity, .http1_only = true, .label = label};
  check(pool_submit(p, &r->admission, &to));
  url_free(&u);
  return &r->admission;
}

static admission *submit(pool *p, int i, const char *text) { return submit_as(p, i, text, "", NULL, 0); }

static void leave(int i) { pool_leave(&requests[i].admission, NULL); }

static const pool_limits wide = {.inflight = SIZE_MAX, .per_origin = SIZE_MAX, .idle = 10, .burst = 1};

static void keeps_to_the_slots_of_an_origin(void)
{
  pool_limits limits = wide;
  limits.per_origin = 2;
  pool *p = open_pool(limits);
  for (int i = 0; i < 4; i++) submit(p, i, "http://127.0.0.1:1/");
  submit(p, 4, "http://127.0.0.1:2/");
  check_string(journal, "abe");
  check(p->in_flight == 3 && p->waiting == 2);
  leave(1);
  check_string(journal, "abec");
  leave(3); /* that waits */
  leave(0);
  check_string(journal, "abec");
  check(p->waiting == 0);
  close_pool(p);
}

static void lets_origins_take_turns(void)
{
  pool_limits limits = wide;
  limits.inflight = 1;
  pool *p = open_pool(limits);
  for (int i = 0; i < 3; i++) submit(p, i, "http://127.0.0.1:1/");
  submit(p, 3, "http://127.0.0.1:2/");
  for (int i = 0; i < 4; i++) leave(journal[i] - 'a');
  check_string(journal, "abdc");
  close_pool(p);
}

static void starts_by_priority(void)
{
  pool_limits limits = wide;
  limits.per_origin = 1;
  pool *p = open_pool(limits);
  submit(p, 0, "http://127.0.0.1:1/");
  submit_as(p, 1, "http://127.0.0.1:1/", "", NULL, MIN_PRIORITY);
  submit(p, 2, "http://127.0.0.1:1/");
  submit_as(p, 3, "http://127.0.0.1:1/", "", NULL, MAX_PRIORITY);
  for (int i = 0; i < 4; i++) leave(journal[i] - 'a');
  check_string(journal, "adcb");
  close_pool(p);
}

static void sends_one_ahead_to_an_unknown_name(void)
{
  pool *p = open_pool(wide);
  admission *first = submit(p, 0, "http://somewhere/");
  submit(p, 1, "http://somewhere/");
  submit(p, 2, "http://somewhere/");
  check_string(journal, "a");
  check(!pool_origin_is_known(first));
  check_string(pool_origin_name(first), "somewhere:80");
  pool_origin_known(first, false);
  pool_admit(p);
  check_string(journal, "abc");
  close_pool(p);
}

static void keeps_none_back_once_an_origin_has_left_http2(void)
{
  pool *p = open_pool(wide);
  admission *first = submit(p, 0, "http://somewhere/");
  pool_origin_known(first, true);
  leave(0);
  admission *second = submit(p, 1, "http://somewhere/");
  submit(p, 2, "http://somewhere/");
  submit(p, 3, "http://somewhere/");
  check_string(journal, "ab");
  pool_origin_known(second, false);
  pool_admit(p);
  check_string(journal, "abcd");
  check(!pool_origin_is_http2(second));
  pool_origin_known(second, true);
  check(pool_origin_is_http2(second));
  close_pool(p);
}

static void ends_those_that_wait_for_the_same_lookup(void)
{
  error why = {.kind = ERROR_dns};
  pool *p = open_pool(wide);
  admission *first = submit(p, 0, "http://nowhere/");
  submit(p, 1, "http://nowhere/");
  submit_as(p, 2, "http://nowhere/", "by another way", NULL, 0);
  submit_as(p, 3, "http://nowhere/", "by another way", NULL, 0);
  pool_origin_unresolved(first, &why);
  check(strchr(journal, 'B') && requests[1].why.kind == ERROR_dns);
  check(!strchr(journal, 'C') && !strchr(journal, 'D'));
  close_pool(p);
}

static void ends_all_when_it_closes(void)
{
  pool_limits limits = wide;
  limits.per_origin = 1;
  pool *p = open_pool(limits);
  submit(p, 0, "http://127.0.0.1:1/");
  submit(p, 1, "http://127.0.0.1:1/");
  pool_close(p);
  check_string(journal, "aBA");
  check(requests[0].why.kind == ERROR_canceled && requests[1].why.kind == ERROR_canceled);
  check(requests[0].admission.state == ADMISSION_ENDED && pool_connections(p) == 0);
  close_pool(p);
}

static void puts_one_that_got_no_socket_before_the_others(void)
{
  pool_limits limits = wide;
  limits.per_origin = 1;
  pool *p = open_pool(limits);
  admission *first = submit(p, 0, "http://127.0.0.1:1/");
  submit(p, 1, "http://127.0.0.1:1/");
  pool_requeue(first);
  check(first->state == ADMISSION_WAITING && p->in_flight == 0 && p->waiting == 2);
  pool_admit(p);
  check_string(journal, "aa");
  close_pool(p);
}

static void starts_none_beyond_the_limits_of_the_run(void)
{
  pool *p = open_pool(wide);
  net->run_limits.max_requests = 2;
  for (int i = 0; i < 4; i++) submit(p, i, "http://127.0.0.1:1/");
  check_string(journal, "ab");
  error why = net->run_limits.reason;
  pool_requeue(&requests[0].admission); /* was counted: may start again */
  pool_end_waiting(p, false, &why);
  check_string(journal, "abCD");
  check(requests[2].why.kind == ERROR_limit);
  pool_admit(p);
  check_string(journal, "abCDa");
  check(net->run_limits.requests == 2);
  close_pool(p);
}

static void starts_none_while_descriptors_are_missing(void)
{
  pool *p = open_pool(wide);
  network_out_of_descriptors(net);
  submit(p, 0, "http://127.0.0.1:1/");
  check_string(journal, "");
  network_descriptor_freed(net);
  pool_admit(p);
  check_string(journal, "a");
  close_pool(p);
}

static void says_what_is_waited_for(void)
{
  char why[128];
  pool_limits limits = wide;
  limits.per_origin = 1;
  pool *p = open_pool(limits);
  submit(p, 0, "http://127.0.0.1:1/");
  pool_describe_wait(submit(p, 1, "http://127.0.0.1:1/"), why, sizeof why);
  check_string(why, "whose slots are taken (limits.per_origin = 1)");
  close_pool(p);
}

static void counts_by_label_and_origin(void)
{
  pool_limits limits = wide;
  limits.per_origin = 1;
  pool *p = open_pool(limits);
  admission *first = submit_as(p, 0, "http://127.0.0.1:1/", "", "x", 0);
  admission *second = submit_as(p, 1, "http://127.0.0.1:1/", "", "x", 0);
  admission *third = submit_as(p, 2, "http://127.0.0.1:1/", "", "y", 0);
  check(first->series == second->series && first->series != third->series);
  check(first->series->running == 1 && first->series->waiting == 1 && third->series->waiting == 1);
  leave(0);
  check(first->series->running == 1 && first->series->waiting == 0);
  close_pool(p);
}

static void learns_how_many_an_origin_takes(void)
{
  pool_limits limits = wide;
  limits.adaptive = true;
  limits.inflight = 100;
  pool *p = open_pool(limits);
  for (int i = 0; i < 8; i++) submit(p, i, "http://127.0.0.1:1/");
  check(p->in_flight == 4);
  origin_sample good = {.answered = true, .latency = MILLISECOND};
  for (int i = 0; i < 8; i++) pool_leave(&requests[i].admission, &good);
  check(p->in_flight == 0);
  for (int i = 8; i < MANY; i++) submit(p, i, "http://127.0.0.1:1/");
  check(p->in_flight == 8);
  close_pool(p);
}

int main(void)
{
  keeps_to_the_slots_of_an_origin();
  lets_origins_take_turns();
  starts_by_priority();
  sends_one_ahead_to_an_unknown_name();
  keeps_none_back_once_an_origin_has_left_http2();
  ends_those_that_wait_for_the_same_lookup();
  ends_all_when_it_closes();
  puts_one_that_got_no_socket_before_the_others();
  starts_none_beyond_the_limits_of_the_run();
  starts_none_while_descriptors_are_missing();
  says_what_is_waited_for();
  counts_by_label_and_origin();
  learns_how_many_an_origin_takes();
  return unit_end();
}
