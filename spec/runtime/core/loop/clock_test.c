/* The loop's two clocks, and virtual runs. */
#include "core/loop/loop.h"
#include "core/random.h"

#include "support/unit.h"

#include <math.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The time of day, as if somebody had set it: this takes the place of the C library's function. */
static time_t set_forward;

int clock_gettime(clockid_t id, struct timespec *now)
{
  int result = (int)syscall(SYS_clock_gettime, id, now);
  if (id == CLOCK_REALTIME) now->tv_sec += set_forward;
  return result;
}

static const uint64_t SECOND = 1000 * MILLISECOND, DAY = 86400000 * MILLISECOND;

static loop l;
static char journal[256];
static uint64_t fired_at[8]; /* virtual time of the timers of that number */

typedef struct {
  timer timer;
  int number;
} numbered;

static void note_firing(timer *t)
{
  int number = ((numbered *)t)->number;
  size_t length = strlen(journal);
  journal[length] = (char)('0' + number);
  journal[length + 1] = 0;
  fired_at[number] = clock_now(&l.virtual);
}

static void release_at_firing(timer *t)
{
  note_firing(t);
  loop_release(&l);
}

static void on_ready(operation *op, void *user)
{
  (void)user;
  operation_reset(op);
}

static void on_closed(void *user) { (void)user; }

static void open_loop(void)
{
  journal[0] = 0;
  check(loop_init(&l, NULL, NULL) == 0);
  l.on_ready = on_ready;
}

static void close_loop(void)
{
  loop_close(&l, on_closed);
  loop_run(&l);
  loop_deinit(&l);
}

static void run_until(loop_clock *c, numbered *last, uint64_t due)
{
  loop_hold(&l);
  check(clock_start(c, &last->timer, due, release_at_firing));
  loop_run(&l);
}

/* ---- one clock ---- */

static void fires_both_kinds_of_timers_in_one_order(void)
{
  numbered n[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
  open_loop();
  uint64_t now = loop_update_now(&l);
  check(clock_start(&l.real, &n[2].timer, now + 3 * MILLISECOND, note_firing));
  check(clock_start_precise(&l.real, &n[0].timer, now + MILLISECOND, note_firing));
  check(clock_start(&l.real, &n[1].timer, now + MILLISECOND, note_firing));
  run_until(&l.real, &n[3], now + 5 * MILLISECOND);
  check_string(journal, "0123");
  journal[0] = 0; /* moved from one kind to the other, and stopped */
  now = loop_update_now(&l);
  check(clock_start_precise(&l.real, &n[0].timer, now + 1, note_firing));
  check(clock_start(&l.real, &n[0].timer, now + 2 * MILLISECOND, note_firing));
  check(clock_start_precise(&l.real, &n[1].timer, now + MILLISECOND, note_firing));
  timer_stop(&n[1].timer);
  check(clock_start(&l.real, &n[2].timer, now + DAY, note_firing));
  check(clock_start_precise(&l.real, &n[2].timer, now + MILLISECOND, note_firing));
  run_until(&l.real, &n[3], now + 4 * MILLISECOND);
  check_string(journal, "203");
  close_loop();
}

/* Of many, since the machine may be busy: one that counts milliseconds cannot do this even once. */
static void precise_timers_are_late_by_less_than_a_millisecond(void)
{
  uint64_t least = UINT64_MAX;
  open_loop();
  for (int i = 0; i < 100; i++) {
    numbered n = {.number = 0};
    loop_hold(&l);
    uint64_t due = loop_update_now(&l) + MILLISECOND / 4;
    check(clock_start_precise(&l.real, &n.timer, due, release_at_firing));
    loop_run(&l);
    uint64_t late = uv_hrtime() - due;
    check(late < UINT64_MAX / 2); /* never early */
    if (late < least) least = late;
    journal[0] = 0;
  }
  check(least < MILLISECOND / 2);
  close_loop();
}

static void timers_do_not_mind_the_time_of_day(void)
{
  numbered first = {.number = 0}, last = {.number = 1};
  open_loop();
  uint64_t before = loop_time_of_day(&l, &l.real), start = loop_update_now(&l);
  check(clock_start(&l.real, &first.timer, start + MILLISECOND, note_firing));
  set_forward = -30 * 86400;
  loop_update_now(&l);
  check(loop_time_of_day(&l, &l.real) < before);
  run_until(&l.real, &last, start + 3 * MILLISECOND);
  set_forward = 30 * 86400;
  check(loop_time_of_day(&l, &l.real) > before + 29 * DAY);
  run_until(&l.real, &last, loop_update_now(&l) + 2 * MILLISECOND);
  check_string(journal, "011");
  check(loop_update_now(&l) - start < 60 * SECOND);
  virtual_run_begin(&l, 0, 1000 * SECOND);
  uint64_t day = loop_time_of_day(&l, &l.virtual);
  set_forward = 0;
  check(day == 1000 * SECOND && loop_time_of_day(&l, &l.virtual) == day);
  virtual_run_end(&l);
  close_loop();
}

/* ---- virtual runs ---- */

static void skips_to_each_timer_in_turn(void)
{
  numbered n[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
  open_loop();
  virtual_run_begin(&l, SECOND, 0);
  uint64_t start = clock_now(&l.virtual), real = uv_hrtime();
  check(clock_start(&l.virtual, &n[1].timer, start + 2 * DAY, note_firing));
  check(clock_start_precise(&l.virtual, &n[0].timer, start + DAY, note_firing));
  run_until(&l.virtual, &n[2], start + 3 * DAY);
  check_string(journal, "012");
  for (unsigned i = 0; i < 3; i++) check(fired_at[i] == start + (i + 1) * DAY);
  check(loop_time_of_day(&l, &l.virtual) == 3 * DAY);
  check(uv_hrtime() - real < 60 * SECOND);
  virtual_run_end(&l);
  close_loop();
}

static void goes_on_at_the_real_pace_afterwards(void)
{
  numbered n[2] = {{.number = 0}, {.number = 1}};
  open_loop();
  virtual_run_begin(&l, 0, 0);
  run_until(&l.virtual, &n[0], clock_now(&l.virtual) + DAY);
  uint64_t end = clock_now(&l.virtual);
  virtual_run_end(&l);
  uint64_t real = loop_update_now(&l);
  check(clock_now(&l.virtual) >= end && clock_now(&l.virtual) < end + 60 * SECOND);
  run_until(&l.virtual, &n[1], clock_now(&l.virtual) + 5 * MILLISECOND);
  check(uv_hrtime() - real >= 5 * MILLISECOND);
  check_string(journal, "01");
  virtual_run_begin(&l, 0, 0); /* a second run begins where the clock is */
  check(clock_now(&l.virtual) >= end + 5 * MILLISECOND);
  virtual_run_end(&l);
  close_loop();
}

static void leaves_the_real_clock_alone(void)
{
  numbered n[2] = {{.number = 0}, {.number = 1}};
  open_loop();
  virtual_run_begin(&l, 0, 0);
  uint64_t real = loop_update_now(&l);
  check(clock_start(&l.virtual, &n[0].timer, clock_now(&l.virtual) + DAY, note_firing));
  run_until(&l.real, &n[1], real + 20 * MILLISECOND);
  check(uv_hrtime() - real >= 20 * MILLISECOND);
  check_string(journal, "01"); /* the virtual one did not wait for it */
  virtual_run_end(&l);
  close_loop();
}

static numbered *held_up;
static unsigned turns;

static void end_outside(timer *t)
{
  (void)t;
  check(timer_active(&held_up->timer));
  l.external_requests--;
}

static const operation_class plain = {"a job", NULL};
static operation job;

static void end_job(timer *t)
{
  (void)t;
  check(timer_active(&held_up->timer));
  operation_complete(&job);
}

static void count_turn(uv_check_t *handle)
{
  (void)handle;
  turns++;
}

static void waits_for_jobs_and_others_without_spinning(void)
{
  numbered n[2] = {{.number = 0}, {.number = 1}};
  timer ends = {0};
  uv_check_t counter;
  open_loop();
  held_up = &n[0];
  virtual_run_begin(&l, 3600 * SECOND, 0);
  uv_check_init(l.uv, &counter);
  uv_check_start(&counter, count_turn);
  uv_unref((uv_handle_t *)&counter);

  l.external_requests++;
  loop_note_activity(&l);
  check(clock_start(&l.real, &ends, loop_update_now(&l) + 10 * MILLISECOND, end_outside));
  run_until(&l.virtual, &n[0], clock_now(&l.virtual) + DAY);
  check_string(journal, "0");

  operation_begin(&job, &plain, &l, true);
  operation_is_job(&job);
  check(clock_start(&l.real, &ends, loop_update_now(&l) + 10 * MILLISECOND, end_job));
  run_until(&l.virtual, &n[0], clock_now(&l.virtual) + DAY);
  check_string(journal, "00");
  check(l.jobs == 0 && turns < 40);

  l.external_requests++; /* silent for too long */
  l.run.patience = 5 * MILLISECOND;
  loop_note_activity(&l);
  uint64_t real = uv_hrtime();
  run_until(&l.virtual, &n[1], clock_now(&l.virtual) + DAY);
  check(uv_hrtime() - real >= 4 * MILLISECOND);
  check_string(journal, "001");
  l.external_requests--;
  virtual_run_end(&l);
  uv_close((uv_handle_t *)&counter, NULL);
  close_loop();
}

static void on_host_timer(uv_timer_t *timer_handle) { uv_close((uv_handle_t *)timer_handle, NULL); }

/* On a host's loop, which goes on: nobody waits for what they would do. */
static void leaves_timers_that_hold_nothing(void)
{
  numbered n = {.number = 0};
  uv_timer_t host;
  open_loop();
  virtual_run_begin(&l, 0, 0);
  check(clock_start(&l.virtual, &n.timer, clock_now(&l.virtual) + DAY, note_firing));
  uv_timer_init(l.uv, &host);
  uv_timer_start(&host, on_host_timer, 5, 0);
  loop_run(&l);
  check_string(journal, "");
  timer_stop(&n.timer);
  virtual_run_end(&l);
  close_loop();
}

static void never_gets_to_the_end_of_time(void)
{
  numbered n[2] = {{.number = 0}, {.number = 1}};
  open_loop();
  virtual_run_begin(&l, 0, 0);
  uint64_t end = clock_now(&l.virtual) + loop_nanoseconds(INFINITY);
  check(end > CLOCK_NEVER && loop_nanoseconds(1e300) == CLOCK_NEVER);
  check(clock_start(&l.virtual, &n[0].timer, end, note_firing));
  run_until(&l.real, &n[1], loop_update_now(&l) + 5 * MILLISECOND);
  check_string(journal, "1");
  check(clock_now(&l.virtual) < CLOCK_NEVER);
  timer_stop(&n[0].timer);
  virtual_run_end(&l);
  close_loop();
}

static void knows_its_own_servers(void)
{
  local_server tcp = {.port = 80}, local = {.path = "/tmp/a"};
  open_loop();
  check(!local_server_find(&l, 80, ""));
  local_server_add(&l, &tcp);
  local_server_add(&l, &local);
  check(local_server_find(&l, 80, "") && !local_server_find(&l, 81, ""));
  check(local_server_find(&l, 0, "/tmp/a") && !local_server_find(&l, 0, "/tmp/b"));
  local_server_remove(&tcp);
  local_server_remove(&tcp);
  check(!local_server_find(&l, 80, "") && local_server_find(&l, 0, "/tmp/a"));
  local_server_remove(&local);
  check(list_is_empty(&l.local_servers));
  close_loop();
}

/* ---- chance ---- */

static void draws_evenly_and_the_same_from_the_same_seed(void)
{
  random_source a = {1}, b = {1}, other = {2}, seeded = {0}, again = {0};
  unsigned buckets[10] = {0}, differing = 0;
  bool right = true;
  for (int i = 0; i < 100000 && right; i++) {
    double unit = random_unit(&a);
    right = unit >= 0 && unit < 1 && unit == random_unit(&b);
    buckets[(int)(unit * 10) % 10]++;
    differing += unit != random_unit(&other);
  }
  check(right);
  for (int i = 0; i < 10; i++) check(buckets[i] > 9500 && buckets[i] < 10500);
  check(differing == 100000);
  random_seed(&seeded);
  random_seed(&again);
  check(seeded.state != again.state);
}

int main(void)
{
  fires_both_kinds_of_timers_in_one_order();
  precise_timers_are_late_by_less_than_a_millisecond();
  timers_do_not_mind_the_time_of_day();
  skips_to_each_timer_in_turn();
  goes_on_at_the_real_pace_afterwards();
  leaves_the_real_clock_alone();
  waits_for_jobs_and_others_without_spinning();
  leaves_timers_that_hold_nothing();
  never_gets_to_the_end_of_time();
  knows_its_own_servers();
  draws_evenly_and_the_same_from_the_same_seed();
  return unit_end();
}
