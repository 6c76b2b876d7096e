#include "net/curl/multi_idle.h"

#include "core/container_of.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

int multi_port_of(watcher *w)
{
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  uint16_t port = 0;
  if (w->local_port) return w->local_port;
  if (getsockname(w->fd, (struct sockaddr *)&address, &length)) return 0;
  if (address.ss_family == AF_INET) port = ntohs(((struct sockaddr_in *)&address)->sin_port);
  if (address.ss_family == AF_INET6) port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  if (port) watcher_note_port(&w->multi->shared->watchers, w, port);
  return port;
}

watcher *multi_only_socket(const multi *m, int local_port)
{
  const watcher_table *watchers = &m->shared->watchers;
  watcher *found = NULL;
  for (size_t fd = 0; local_port && fd < watchers->capacity; fd++) {
    watcher *w = watchers->by_fd[fd];
    if (!w || w->multi != m || multi_port_of(w) != local_port) continue;
    if (found) return NULL;
    found = w;
  }
  return found;
}

void multi_end_connection(watcher *w)
{
  char unwanted[16 * 1024];
  if (w->state == WATCHER_ENDED) return;
  w->state = WATCHER_ENDED;
  w->multi->ended++;
  shutdown(w->fd, SHUT_RDWR);
  while (recv(w->fd, unwanted, sizeof unwanted, MSG_DONTWAIT) > 0) {
  }
}

void multi_hold_sockets(multi *m, int local_port)
{
  const watcher_table *watchers = &m->shared->watchers;
  for (size_t fd = 0; fd < watchers->capacity; fd++) {
    watcher *w = watchers->by_fd[fd];
    if (!w || w->multi != m || w->state != WATCHER_IDLE) continue;
    if (multi_port_of(w) == local_port) w->state = WATCHER_ACTIVE;
  }
}

static void on_expiry(timer *t)
{
  multi *m = container_of(t, multi, expiry);
  loop_clock *time = &m->shared->loop->virtual; /* the pool's */
  const watcher_table *watchers = &m->shared->watchers;
  uint64_t now = clock_now(time), next = UINT64_MAX;
  for (size_t fd = 0; fd < watchers->capacity; fd++) {
    watcher *w = watchers->by_fd[fd];
    if (!w || w->multi != m || w->state != WATCHER_IDLE || !w->due) continue;
    if (w->due <= now)
      multi_end_connection(w);
    else if (w->due < next)
      next = w->due;
  }
  if (next < UINT64_MAX) clock_start(time, &m->expiry, next, on_expiry);
}

void multi_expire_socket(multi *m, CURL *easy, uint64_t lifetime)
{
  curl_socket_t fd = CURL_SOCKET_BAD;
  loop_clock *time = &m->shared->loop->virtual;
  curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
  watcher *w = watcher_find(&m->shared->watchers, fd);
  if (!w || w->multi != m || w->wanted) return;
  w->due = clock_now(time) + lifetime;
  if (!timer_active(&m->expiry) || w->due < m->expiry.due) clock_start(time, &m->expiry, w->due, on_expiry);
}

bool multi_is_silent(const multi *m, int local_port, uint64_t period)
{
  const watcher_table *watchers = &m->shared->watchers;
  uint64_t heard = 0, now = loop_now(m->shared->loop);
  for (size_t fd = 0; fd < watchers->capacity; fd++) {
    watcher *w = watchers->by_fd[fd];
    if (w && w->multi == m && w->heard > heard && multi_port_of(w) == local_port) heard = w->heard;
  }
  return heard + period <= now;
}

static bool can_be_read(int fd)
{
  char byte;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

void multi_rest_socket(multi *m, CURL *easy, bool (*has_unread)(void *session), void *session)
{
  curl_socket_t fd = CURL_SOCKET_BAD;
  curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
  watcher *w = watcher_find(&m->shared->watchers, fd);
  if (!w || w->multi != m || w->wanted) return;
  watcher_set_state(w, WATCHER_IDLE);
  if ((session && has_unread(session)) || can_be_read(fd)) multi_end_connection(w);
}

/* Of a connection over which request and answer went in one call of libcurl, nobody heard that it was made.
 */
static bool has_rested(const watcher *w)
{
  return w->state == WATCHER_IDLE || (w->state == WATCHER_CONNECTING && !w->job);
}

/* Idle connections without a port, over Unix sockets, are not told apart. */
static bool any_can_be_read(const multi *m)
{
  const watcher_table *watchers = &m->shared->watchers;
  for (size_t fd = 0; fd < watchers->capacity; fd++) {
    watcher *w = watchers->by_fd[fd];
    if (w && w->multi == m && has_rested(w) && !w->local_port && can_be_read(w->fd)) return true;
  }
  return false;
}

bool multi_has_surplus(const multi *m, int local_port)
{
  multi_shared *s = m->shared;
  if (!local_port) return any_can_be_read(m);
  watcher *w = watcher_find_port(&s->watchers, m, local_port);
  if (!w || !has_rested(w)) return false;
  return !resting_is_quiet(&s->resting, &s->watchers, w, uv_hrtime()) && can_be_read(w->fd);
}

bool multi_was_left(multi *m, int local_port)
{
  watcher *w = local_port ? watcher_find_port(&m->shared->watchers, m, local_port) : NULL;
  if (!w || w->wanted || w->state == WATCHER_CONNECTING) return false;
  struct pollfd socket = {.fd = w->fd, .events = POLLRDHUP};
  if (poll(&socket, 1, 0) != 1) return false;
  multi_end_connection(w);
  return true;
}

void multi_note_begun(multi *m, int local_port)
{
  if (m->begun_count == m->begun_capacity) {
    size_t capacity = m->begun_capacity ? m->begun_capacity * 2 : 16;
    uint16_t *grown = realloc(m->begun, capacity * sizeof *grown);
    if (!grown) return;
    m->begun = grown;
    m->begun_capacity = capacity;
  }
  m->begun[m->begun_count++] = (uint16_t)local_port;
}

bool multi_serves_another(const multi *m, int local_port, bool in_this_call)
{
  size_t count = 0;
  for (size_t i = 0; i < m->begun_count; i++) count += m->begun[i] == local_port;
  return count > (in_this_call ? 1 : 0);
}

void multi_end_idle(multi *m, size_t count)
{
  const watcher_table *watchers = &m->shared->watchers;
  for (size_t fd = 0; count && fd < watchers->capacity; fd++) {
    watcher *w = watchers->by_fd[fd];
    if (!w || w->multi != m || w->state != WATCHER_IDLE) continue;
    multi_end_connection(w);
    count--;
  }
}
