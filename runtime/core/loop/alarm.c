#include "core/loop/alarm.h"

#include "core/loop/loop.h"

#include <sys/timerfd.h>
#include <unistd.h>

static void on_coarse(uv_timer_t *due)
{
  loop *l = due->data;
  l->alarm.coarse_due = 0;
  loop_fire_due(l);
}

static void on_precise(uv_poll_t *poll, int status, int events)
{
  loop *l = poll->data;
  uint64_t count;
  (void)status;
  (void)events;
  if (read(l->alarm.fd, &count, sizeof count) < 0) return; /* it was set anew meanwhile */
  l->alarm.precise_due = 0;
  loop_fire_due(l);
}

static bool open_precise(loop *l)
{
  loop_alarm *a = &l->alarm;
  if (a->fd >= 0) return true;
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) return false;
  if (uv_poll_init(l->uv, &a->precise, fd)) {
    close(fd);
    return false;
  }
  a->fd = fd;
  a->precise.data = l;
  loop_handle_opened(l);
  uv_poll_start(&a->precise, UV_READABLE, on_precise);
  uv_unref((uv_handle_t *)&a->precise);
  return true;
}

static bool set_precise(loop *l, uint64_t due)
{
  if (!open_precise(l)) return false;
  struct itimerspec when = {
      .it_value = {.tv_sec = (time_t)(due / 1000000000), .tv_nsec = (long)(due % 1000000000)}};
  return !timerfd_settime(l->alarm.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void set_coarse(loop *l, uint64_t due)
{
  uv_update_time(l->uv);
  uint64_t now = uv_hrtime();
  uint64_t wait = due > now ? (due - now + MILLISECOND - 1) / MILLISECOND : 0;
  uv_timer_start(&l->alarm.coarse, on_coarse, wait, 0);
}

/* The real time at which the first timer of a heap of each clock is due, or UINT64_MAX. */
static uint64_t first_due(const loop *l, const timer_heap *real, const timer_heap *virtual)
{
  const timer *first = timer_heap_first(real);
  uint64_t due = first ? first->due : UINT64_MAX;
  if (l->run.on || !(first = timer_heap_first(virtual))) return due;
  uint64_t virtual_due = first->due - (uint64_t)l->virtual_ahead;
  return virtual_due < due ? virtual_due : due;
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

void alarm_set(loop *l)
{
  loop_alarm *a = &l->alarm;
  uint64_t coarse = first_due(l, &l->real.timers, &l->virtual.timers);
  uint64_t precise = first_due(l, &l->real.precise, &l->virtual.precise);
  if (l->run.look_at) coarse = earlier(coarse, l->run.look_at);
  bool sooner = precise != UINT64_MAX && precise - MILLISECOND < coarse; /* than the coarse one rounded up */
  if (sooner && (!a->precise_due || precise < a->precise_due)) {
    if (set_precise(l, precise))
      a->precise_due = precise;
    else
      coarse = earlier(coarse, precise);
  }
  if (coarse == UINT64_MAX) {
    if (a->coarse_due) uv_timer_stop(&a->coarse);
    a->coarse_due = 0;
  } else if (!a->coarse_due || coarse < a->coarse_due) {
    a->coarse_due = coarse;
    set_coarse(l, coarse);
  }
}

void alarm_init(loop *l)
{
  l->alarm.fd = -1;
  uv_timer_init(l->uv, &l->alarm.coarse);
  l->alarm.coarse.data = l;
  uv_unref((uv_handle_t *)&l->alarm.coarse);
  loop_handle_opened(l);
}

static void on_closed(uv_handle_t *handle) { loop_handle_closed(handle->data); }

void alarm_close(loop *l)
{
  uv_close((uv_handle_t *)&l->alarm.coarse, on_closed);
  if (l->alarm.fd < 0) return;
  uv_close((uv_handle_t *)&l->alarm.precise, on_closed);
  close(l->alarm.fd);
  l->alarm.fd = -1;
}
