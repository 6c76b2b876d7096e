#include "net/pool/admission.h"

void admission_count_in(admission *a, metrics_series *s)
{
  a->series = s;
  if (s) s->waiting++;
}

void admission_set_state(admission *a, admission_state state)
{
  metrics_series *s = a->series;
  if (s) {
    s->waiting += (state == ADMISSION_WAITING) - (a->state == ADMISSION_WAITING);
    s->running += (state == ADMISSION_RUNNING) - (a->state == ADMISSION_RUNNING);
  }
  a->state = state;
}
