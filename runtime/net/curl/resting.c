#include "net/curl/resting.h"

#include <poll.h>

/* How long what a look saw is taken for true. The requests that begin together, 32 at most, are on their way
 * in half of that. */
static const uint64_t FRESH = 500 * UINT64_C(1000);

/* Where much goes on, a connection is used again before so many others have come to rest; one that rests
 * longer is not looked at for the others' sake. Counted, not timed: a machine with other work stops for long.
 */
enum { LATELY = 2 * MAX_RESTING };

static bool is_here(const resting_sockets *r, const watcher *w)
{
  return w->place && r->places[w->place - 1].fd == w->fd;
}

void resting_add(resting_sockets *r, watcher *w)
{
  if (!is_here(r, w)) w->place = (uint8_t)(r->next++ % MAX_RESTING + 1);
  r->places[w->place - 1].fd = w->fd;
  r->places[w->place - 1].since = r->count++;
  r->places[w->place - 1].quiet_until = 0;
}

/* Its watcher may be gone, or the place be another's by now. */
static watcher *rests_at(const resting_sockets *r, const watcher_table *table, unsigned place)
{
  watcher *w = watcher_find(table, r->places[place].fd);
  return w && w->place == place + 1 ? w : NULL;
}

/* What is known already, or of no use to anybody soon, need not be looked at. */
static bool is_worth_a_look(const resting_sockets *r, unsigned place, const watcher *w, uint64_t now)
{
  return w->state == WATCHER_IDLE && r->places[place].quiet_until < now &&
         r->count - r->places[place].since <= LATELY;
}

static void look(resting_sockets *r, const watcher_table *table, const watcher *asked, uint64_t now)
{
  struct pollfd polled[MAX_RESTING];
  unsigned places[MAX_RESTING];
  nfds_t count = 0;
  for (unsigned i = 0; i < MAX_RESTING; i++) {
    const watcher *w = rests_at(r, table, i);
    if (!w || (w != asked && !is_worth_a_look(r, i, w, now))) continue;
    places[count] = i;
    polled[count++] = (struct pollfd){.fd = w->fd, .events = POLLIN};
  }
  if (poll(polled, count, 0) < 0) return;
  for (nfds_t i = 0; i < count; i++)
    if (!polled[i].revents) r->places[places[i]].quiet_until = now + FRESH;
}

bool resting_is_quiet(resting_sockets *r, const watcher_table *table, watcher *w, uint64_t now)
{
  if (!is_here(r, w)) resting_add(r, w);
  unsigned place = w->place - 1u;
  if (r->places[place].quiet_until < now) look(r, table, w, now);
  bool quiet = r->places[place].quiet_until >= now;
  r->places[place].quiet_until = 0;
  return quiet;
}
