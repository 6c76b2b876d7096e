#include "core/loop/loop.h"

#include "support/unit.h"

#include <math.h>
#include <stdlib.h>

/* What happened, a letter each. */
static char journal[4096];

static void note(char c)
{
  size_t length = strlen(journal);
  if (length + 1 < sizeof journal) {
    journal[length] = c;
    journal[length + 1] = 0;
  }
}

static loop l;
static bool closed;

static void on_closed(void *user)
{
  (void)user;
  closed = true;
}

/* An operation with a letter; its owner's resumption notes the letter and calls `then`. */
typedef struct item item;
struct item {
  operation op;
  char letter;
  void (*then)(item *i);
};

static void on_ready(operation *op, void *user)
{
  (void)user;
  item *i = (item *)op;
  operation_reset(op);
  note(i->letter);
  if (i->then) i->then(i);
}

static void on_abandon(operation *op) { note((char)(((item *)op)->letter + 32)); }

static const operation_class plain = {"plain", NULL}, abandoned = {"abandoned", on_abandon};

static void begin(item *i, char letter, bool holds)
{
  i->letter = letter;
  operation_begin(&i->op, &plain, &l, holds);
}

static void open_loop(void)
{
  journal[0] = 0;
  check(loop_init(&l, NULL, NULL) == 0);
  l.on_ready = on_ready;
}

static void close_loop(void)
{
  closed = false;
  check(l.holds == 0);
  loop_close(&l, on_closed);
  loop_run(&l);
  check(closed);
  check(uv_loop_alive(l.uv) == 0);
  loop_deinit(&l);
}

/* ---- operations ---- */

static void resumes_in_the_order_of_completion(void)
{
  item items[5] = {0};
  open_loop();
  for (int i = 0; i < 5; i++) begin(&items[i], (char)('A' + i), true);
  check(l.holds == 5);
  static const int order[] = {3, 0, 4, 1, 2};
  for (int i = 0; i < 5; i++) operation_complete(&items[order[i]].op);
  operation_complete(&items[3].op); /* again: nothing */
  check(journal[0] == 0);
  loop_run(&l);
  check_string(journal, "DAEBC");
  operation_complete(&items[0].op); /* idle: nothing */
  loop_run(&l);
  check_string(journal, "DAEBC");
  close_loop();
}

static void takes_abandoned_and_reset_operations_off_the_queue(void)
{
  item items[5] = {0};
  open_loop();
  for (int i = 0; i < 5; i++) {
    begin(&items[i], (char)('A' + i), true);
    items[i].op.class = &abandoned;
  }
  operation_abandon(&items[0].op); /* pending */
  for (int i = 1; i < 5; i++) operation_complete(&items[i].op);
  operation_abandon(&items[2].op); /* ready, in the middle */
  operation_reset(&items[4].op);   /* ready, last */
  check(l.holds == 2);
  loop_run(&l);
  check_string(journal, "acBD");
  close_loop();
}

static item chain[3];

static void abandon_last(item *i)
{
  (void)i;
  operation_abandon(&chain[2].op);
  chain[0].then = NULL;
  begin(&chain[0], 'X', true);
  operation_complete(&chain[0].op);
}

static void survives_the_loss_of_the_last_one_while_draining(void)
{
  memset(chain, 0, sizeof chain);
  open_loop();
  for (int i = 0; i < 3; i++) {
    begin(&chain[i], (char)('A' + i), true);
    operation_complete(&chain[i].op);
  }
  chain[0].then = abandon_last;
  loop_run(&l);
  check_string(journal, "ABX");
  close_loop();
}

static unsigned rounds;

static void complete_again(item *i)
{
  if (rounds == 0 || --rounds == 0) return;
  begin(i, i->letter, true);
  operation_complete(&i->op);
}

static void gives_each_its_turn(void)
{
  item items[3] = {0};
  open_loop();
  rounds = 9;
  for (int i = 0; i < 3; i++) {
    begin(&items[i], (char)('A' + i), true);
    items[i].then = complete_again;
    operation_complete(&items[i].op);
  }
  loop_run(&l);
  check_string(journal, "ABCABCABCAB"); /* the last two of the first nine completed two more */
  close_loop();
}

static item batch[40];

static void complete_batch(timer *t)
{
  (void)t;
  for (int i = 0; i < 40; i++) {
    operation_complete(&batch[i].op);
    loop_checkpoint(&l);
    if (i == 30) note('1'); /* too little to be worth it */
    if (i == 31) note('2');
  }
  note('3');
}

static void drains_large_batches_in_portions(void)
{
  timer t = {0};
  memset(batch, 0, sizeof batch);
  open_loop();
  for (int i = 0; i < 40; i++) begin(&batch[i], 'A', true);
  check(clock_start(&l.real, &t, 1, complete_batch));
  loop_run(&l);
  check_string(journal, "1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA23AAAAAAAA");
  close_loop();
}

/* ---- holding ---- */

static void release_at_due(timer *t)
{
  (void)t;
  note('t');
  loop_release(&l);
}

static void runs_while_something_holds(void)
{
  timer t = {0};
  open_loop();
  loop_run(&l); /* nothing holds: returns */
  loop_hold(&l);
  loop_hold(&l);
  loop_release(&l);
  check(clock_start(&l.real, &t, loop_update_now(&l) + 2 * MILLISECOND, release_at_due));
  uint64_t start = uv_hrtime();
  loop_run(&l);
  check_string(journal, "t");
  check(uv_hrtime() - start >= 2 * MILLISECOND);
  item waiting = {0};
  begin(&waiting, 'A', false); /* a wait that does not hold: the loop ends */
  loop_run(&l);
  operation_reset(&waiting.op);
  check_string(journal, "t");
  close_loop();
}

/* ---- timers ---- */

static timer early, late, middle;

static void note_e(timer *t)
{
  (void)t;
  note('e');
}

static void note_m(timer *t)
{
  (void)t;
  note('m');
}

static void note_l(timer *t)
{
  (void)t;
  note('l');
  loop_release(&l);
}

static void fires_timers_in_order(void)
{
  open_loop();
  loop_hold(&l);
  uint64_t now = loop_update_now(&l);
  check(clock_start(&l.real, &late, now + 9 * MILLISECOND, note_l));
  check(clock_start(&l.real, &early, now + 1 * MILLISECOND, note_e));
  check(clock_start(&l.real, &middle, now + 5 * MILLISECOND, note_m));
  loop_run(&l);
  check_string(journal, "eml");
  check(uv_hrtime() >= now + 9 * MILLISECOND);

  journal[0] = 0; /* the first is stopped, another moved to the front */
  loop_hold(&l);
  now = loop_update_now(&l);
  check(clock_start(&l.real, &early, now + 1 * MILLISECOND, note_e));
  check(clock_start(&l.real, &late, now + 2 * MILLISECOND, note_l));
  check(clock_start(&l.real, &middle, now + UINT64_C(3600000) * MILLISECOND, note_m));
  check(clock_start(&l.real, &middle, now + 1, note_m));
  timer_stop(&early);
  loop_run(&l);
  check_string(journal, "ml");
  close_loop();
}

static void fires_timers_that_are_past_or_zero(void)
{
  open_loop();
  loop_hold(&l);
  check(clock_start(&l.real, &early, 0, note_e));
  check(clock_start(&l.real, &late, 1, note_l));
  loop_run(&l);
  check_string(journal, "el");
  check(!timer_active(&early) && !timer_active(&late));
  close_loop();
}

static uv_check_t poll_seen;
static unsigned polls;

static void count_poll(uv_check_t *handle)
{
  (void)handle;
  polls++;
}

static void restart_past(timer *t)
{
  note('r');
  if (--rounds == 0)
    loop_release(&l);
  else
    clock_start(&l.real, t, 1, restart_past);
}

/* A timer that restarts itself for now must not keep the loop from its sockets. */
static void polls_between_restarts_of_a_timer(void)
{
  timer t = {0};
  open_loop();
  polls = 0;
  uv_check_init(l.uv, &poll_seen);
  uv_check_start(&poll_seen, count_poll);
  uv_unref((uv_handle_t *)&poll_seen);
  rounds = 5;
  loop_hold(&l);
  check(clock_start(&l.real, &t, 1, restart_past));
  loop_run(&l);
  check_string(journal, "rrrrr");
  check(polls >= 4);
  uv_close((uv_handle_t *)&poll_seen, NULL);
  close_loop();
}

static item woken;

static void complete_woken(timer *t)
{
  (void)t;
  note('t');
  operation_complete(&woken.op);
}

static void wakes_tasks_from_timers(void)
{
  timer t = {0};
  woken = (item){0};
  open_loop();
  begin(&woken, 'A', true);
  check(clock_start(&l.real, &t, loop_now(&l) + MILLISECOND, complete_woken));
  loop_run(&l);
  check_string(journal, "tA");
  close_loop();
}

static void converts_seconds(void)
{
  check(loop_nanoseconds(1.5) == 1500000000u && loop_nanoseconds(0) == 0);
  check(loop_nanoseconds(-1) == 0 && loop_nanoseconds(NAN) == 0 && loop_nanoseconds(-INFINITY) == 0);
  check(loop_nanoseconds(INFINITY) == loop_nanoseconds(1e300) && loop_nanoseconds(INFINITY) > UINT64_C(1)
                                                                                                  << 62);
  check(loop_nanoseconds(INFINITY) + uv_hrtime() > loop_nanoseconds(INFINITY)); /* a deadline does not wrap */
}

/* ---- deferred work ---- */

typedef struct {
  deferred d;
  char letter;
} job;

static job jobs[4];

static void run_job(deferred *d) { note(((job *)d)->letter); }

static void make_jobs(void)
{
  for (int i = 0; i < 4; i++) jobs[i] = (job){{.run = run_job}, (char)('0' + i)};
}

static void runs_deferred_work_once_and_in_order(void)
{
  open_loop();
  make_jobs();
  for (int i = 0; i < 4; i++) loop_defer(&l, &jobs[i].d);
  loop_defer(&l, &jobs[0].d); /* queued already */
  loop_run(&l);
  check_string(journal, "0123");
  loop_run(&l);
  check_string(journal, "0123");
  close_loop();
}

static void takes_deferred_work_back(void)
{
  for (int mask = 0; mask < 16; mask++) { /* every subset is taken back */
    char wanted[16] = "";
    open_loop();
    make_jobs();
    for (int i = 0; i < 4; i++) loop_defer(&l, &jobs[i].d);
    for (int i = 0; i < 4; i++) {
      if (mask & 1 << i)
        loop_undefer(&l, &jobs[i].d);
      else
        strncat(wanted, &jobs[i].letter, 1);
    }
    deferred idle = {0};
    loop_undefer(&l, &idle); /* not queued: nothing */
    if (mask & 1) {          /* and deferred anew: goes last */
      loop_defer(&l, &jobs[0].d);
      strcat(wanted, "0");
    }
    loop_run(&l);
    check_string(journal, wanted);
    close_loop();
  }
}

static void drop_others(deferred *d)
{
  note('d');
  (void)d;
  loop_undefer(&l, &jobs[1].d);
  loop_undefer(&l, &jobs[3].d);
}

static void takes_deferred_work_back_while_it_runs(void)
{
  open_loop();
  make_jobs();
  jobs[0].d.run = drop_others;
  for (int i = 0; i < 4; i++) loop_defer(&l, &jobs[i].d);
  loop_run(&l);
  check_string(journal, "d2");
  close_loop();
}

static void defer_again(deferred *d)
{
  note('d');
  if (rounds && --rounds) loop_defer(&l, d);
}

static void lets_tasks_run_between_deferred_rounds(void)
{
  item i = {0};
  open_loop();
  make_jobs();
  rounds = 3;
  jobs[0].d.run = defer_again;
  loop_defer(&l, &jobs[0].d);
  begin(&i, 'A', true);
  i.then = complete_again; /* shares the countdown: they alternate */
  operation_complete(&i.op);
  loop_run(&l);
  check_string(journal, "AdAd");
  loop_run(&l);
  close_loop();
}

static uint64_t stop_at;

static bool is_polled(void) { return polls >= 3 || uv_hrtime() >= stop_at; }

static void defer_until_polled(deferred *d)
{
  if (!is_polled()) loop_defer(&l, d);
}

static void complete_until_polled(item *i)
{
  journal[0] = 0;
  if (is_polled()) return;
  begin(i, i->letter, true);
  operation_complete(&i->op);
}

/* Endless work of either sort is cut into slices between which sockets and timers are looked at. */
static void polls_between_slices(void)
{
  item i = {0};
  open_loop();
  make_jobs();
  uv_check_init(l.uv, &poll_seen);
  uv_check_start(&poll_seen, count_poll);
  uv_unref((uv_handle_t *)&poll_seen);
  polls = 0;
  stop_at = uv_hrtime() + 10000 * MILLISECOND;
  jobs[0].d.run = defer_until_polled;
  loop_defer(&l, &jobs[0].d);
  loop_run(&l);
  check(polls >= 3);

  polls = 0;
  stop_at = uv_hrtime() + 10000 * MILLISECOND;
  begin(&i, 'A', true);
  i.then = complete_until_polled;
  operation_complete(&i.op);
  loop_run(&l);
  check(polls >= 3);
  uv_close((uv_handle_t *)&poll_seen, NULL);
  close_loop();
}

/* ---- waking, closing, and a host's loop ---- */

static void on_wake(void *user)
{
  (void)user;
  note('w');
  loop_release(&l);
}

static void wake_from_thread(void *argument)
{
  (void)argument;
  loop_wake(&l);
}

static void wakes_from_another_thread(void)
{
  uv_thread_t thread;
  open_loop();
  l.on_wake = on_wake;
  loop_hold(&l);
  check(uv_thread_create(&thread, wake_from_thread, NULL) == 0);
  loop_run(&l);
  uv_thread_join(&thread);
  check_string(journal, "w");
  close_loop();
}

static void lives_on_a_hosts_loop(void)
{
  uv_loop_t host;
  item i = {0};
  check(uv_loop_init(&host) == 0);
  journal[0] = 0;
  check(loop_init(&l, &host, NULL) == 0);
  l.on_ready = on_ready;
  check(uv_run(&host, UV_RUN_DEFAULT) == 0); /* it does not keep the host's loop alive by itself */
  begin(&i, 'A', true);
  check(uv_run(&host, UV_RUN_NOWAIT) != 0);
  operation_complete(&i.op);
  check(uv_run(&host, UV_RUN_DEFAULT) == 0);
  check_string(journal, "A");
  closed = false;
  loop_close(&l, on_closed);
  uv_run(&host, UV_RUN_DEFAULT);
  check(closed);
  loop_deinit(&l);
  check(uv_loop_close(&host) == 0);
}

static uv_timer_t foreign;

static void on_foreign_closed(uv_handle_t *handle)
{
  note('f');
  check(!closed);
  loop_handle_closed(handle->data);
}

static void closes_after_the_handles_of_others(void)
{
  item i = {0};
  open_loop();
  uv_timer_init(l.uv, &foreign);
  foreign.data = &l;
  loop_handle_opened(&l);
  begin(&i, 'A', true);
  operation_complete(&i.op);
  operation_reset(&i.op);
  closed = false;
  loop_close(&l, on_closed);
  loop_run(&l);
  check(!closed);
  uv_close((uv_handle_t *)&foreign, on_foreign_closed);
  loop_run(&l);
  check(closed);
  check_string(journal, "f");
  loop_deinit(&l);
}

int main(void)
{
  resumes_in_the_order_of_completion();
  takes_abandoned_and_reset_operations_off_the_queue();
  survives_the_loss_of_the_last_one_while_draining();
  gives_each_its_turn();
  drains_large_batches_in_portions();
  runs_while_something_holds();
  fires_timers_in_order();
  fires_timers_that_are_past_or_zero();
  polls_between_restarts_of_a_timer();
  wakes_tasks_from_timers();
  converts_seconds();
  runs_deferred_work_once_and_in_order();
  takes_deferred_work_back();
  takes_deferred_work_back_while_it_runs();
  lets_tasks_run_between_deferred_rounds();
  polls_between_slices();
  wakes_from_another_thread();
  lives_on_a_hosts_loop();
  closes_after_the_handles_of_others();
  return unit_end();
}
