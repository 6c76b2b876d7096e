/* What wakes a loop for its timers: a libuv timer, which counts whole milliseconds, and for precise timers a
 * timerfd. Both are set at most once per turn, however many timers were started and stopped in it, and
 * neither is touched when a later timer comes first: waking early once is cheaper than moving it each time.
 */
#ifndef LURCHER_CORE_ALARM_H
#define LURCHER_CORE_ALARM_H

#include <stdint.h>
#include <uv.h>

struct loop;

typedef struct {
  uv_timer_t coarse;
  uv_poll_t precise;
  int fd;                           /* of the timerfd, made at its first use; -1 */
  uint64_t coarse_due, precise_due; /* real time they are set to; 0: they are not */
} loop_alarm;

void alarm_init(struct loop *l);

/* Starts closing it; ends with loop_handle_closed. */
void alarm_close(struct loop *l);

/* Before the loop waits. */
void alarm_set(struct loop *l);

#endif
