#include "net/curl/multi.h"

#include "core/container_of.h"
#include "net/curl/multi_ahead.h"
#include "net/curl/multi_idle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static multi_job *job_of(CURL *easy)
{
  char *job = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &job);
  return (multi_job *)job;
}

/* Reports what libcurl has finished. A report may start other jobs here. */
static void report_finished(multi *m)
{
  CURLMsg *message;
  int left;
  bool failed = false;
  while (m->handle && (message = curl_multi_info_read(m->handle, &left))) {
    multi_job *job = job_of(message->easy_handle);
    multi_result result = {message->data.result, m->no_descriptor, failed};
    if (job->class->finished(job, &result)) failed = true; /* the job may be gone */
  }
}

static void release_job(watcher *w)
{
  if (w->job) w->job->sockets--;
  w->job = NULL;
}

static void wake_later(multi *m, multi_job *job)
{
  if (job->lost) return;
  job->lost = true;
  job->next_lost = m->lost;
  m->lost = job;
}

/* A socket closes or is let go. While its job connects, that is an attempt lost. */
static void note_lost(watcher *w)
{
  multi_job *job = w->job;
  multi_shared *shared = w->multi->shared;
  if (!job || w->reads_ahead || !job->class->connects(job) || (w->multi->removing && !job->blames)) return;
  failed_addresses_add(&shared->failed, &w->address, loop_now(shared->loop));
  wake_later(w->multi, job);
}

/* libcurl 7.88 notices that an attempt to connect failed, takes the next address, and then neither opens its
 * socket nor sets a timer: it waits to be called again for another reason. Ending a pause is one. */
static void wake_lost(multi *m)
{
  for (multi_job *job; (job = m->lost);) {
    m->lost = job->next_lost;
    job->next_lost = NULL;
    job->lost = false;
    curl_easy_pause(job->easy, CURLPAUSE_RECV);
    curl_easy_pause(job->easy, CURLPAUSE_CONT);
  }
}

static void forget_drained(watcher *w)
{
  watcher **place = &w->multi->drained;
  while (*place != w) place = &(*place)->next_drained;
  *place = w->next_drained;
  w->looks = 0;
}

static void forget_ahead(watcher *w)
{
  watcher **place = &w->multi->ahead;
  while (*place != w) place = &(*place)->ahead.next;
  *place = w->ahead.next;
  w->reads_ahead = false;
}

/* The socket is closed, or about to be. */
static void forget(watcher *w)
{
  release_job(w);
  multi *m = w->multi;
  if (w->looks) forget_drained(w);
  if (w->reads_ahead) forget_ahead(w);
  watcher **place = &m->new_sockets;
  while (*place && *place != w) place = &(*place)->next_new;
  if (*place) *place = w->next_new;
  if (w->state == WATCHER_LOOKUP)
    m->shared->loop->jobs--;
  else
    m->sockets--;
  if (w->state == WATCHER_ENDED) m->ended--;
  watcher_close(&m->shared->watchers, w->fd);
}

/* Whether libcurl has closed a socket of which it wants nothing any more, or is about to, without our
 * close-socket callback: the resolver's socket pair; and with libcurl 7.88 that of a connection that was not
 * made in the end (cancelled, timed out, lost to another address). */
static bool is_lost(const watcher *w)
{
  return w->state == WATCHER_LOOKUP || (w->state == WATCHER_CONNECTING && !watcher_is_open(w));
}

/* libcurl's call is over. Of a socket that it made and closed in it, it said nothing. */
static void forget_lost_sockets(multi *m)
{
  for (watcher *w; (w = m->new_sockets);) {
    m->new_sockets = w->next_new;
    w->next_new = NULL;
    if (w->wanted || watcher_is_open(w)) continue;
    note_lost(w);
    forget(w);
  }
}

enum { MANY_PORTS = -1, LOOKS = 3 };

void multi_note_streamed(multi *m, int local_port)
{
  m->streamed = m->streamed && m->streamed != local_port ? MANY_PORTS : local_port;
}

static void look_again(watcher *w, uint8_t looks)
{
  multi *m = w->multi;
  if (!w->looks) {
    w->next_drained = m->drained;
    m->drained = w;
  }
  if (w->looks < looks) w->looks = looks;
  loop_defer(m->shared->loop, &m->look_again);
}

/* Connections over which HTTP/2 bodies came in the call that is over. One more look may come to nothing
 * though there is more. */
static void note_drained(multi *m)
{
  const watcher_table *watchers = &m->shared->watchers;
  watcher *only = m->streamed == MANY_PORTS ? NULL : watcher_find_port(watchers, m, m->streamed);
  if (only) {
    if (only->wanted & UV_READABLE) look_again(only, LOOKS);
    return;
  }
  for (size_t fd = 0; fd < watchers->capacity; fd++) {
    watcher *w = watchers->by_fd[fd];
    if (!w || w->multi != m || !(w->wanted & UV_READABLE)) continue;
    if (m->streamed == MANY_PORTS || multi_port_of(w) == m->streamed) look_again(w, LOOKS);
  }
}

static void note_unread(multi *m)
{
  for (watcher *w = m->ahead; w; w = w->ahead.next)
    if (multi_has_more(w)) look_again(w, 1);
}

static void act(multi *m, curl_socket_t fd, int flags)
{
  int running;
  m->calls++;
  m->streamed = 0;
  m->begun_count = 0;
  curl_multi_socket_action(m->handle, fd, flags, &running);
  forget_lost_sockets(m);
  if (m->streamed) note_drained(m);
  note_unread(m);
  report_finished(m);
  wake_lost(m);
  m->no_descriptor = false;
}

/* ---- timer ---- */

static void on_action(deferred *d)
{
  multi *m = container_of(d, multi, action);
  if (m->handle) act(m, CURL_SOCKET_TIMEOUT, 0);
}

static void on_timer(timer *t)
{
  multi *m = container_of(t, multi, timer);
  loop_defer(m->shared->loop, &m->action);
}

/* libcurl may be running now: only note what it wants. */
static int set_timer(CURLM *handle, long ms, void *user)
{
  multi *m = user;
  loop *l = m->shared->loop;
  (void)handle;
  if (ms > 0) {
    clock_start(&l->real, &m->timer, loop_now(l) + (uint64_t)ms * MILLISECOND, on_timer);
    return 0;
  }
  timer_stop(&m->timer);
  if (ms == 0) loop_defer(l, &m->action);
  return 0;
}

/* ---- sockets ---- */

/* Input on a connection that no transfer reads from: the peer closed it, or sends what nobody asked for.
 * libcurl 7.88 notices the former at the next use, but would take the latter for the next response. */
static void on_idle_input(watcher *w)
{
  uv_poll_stop(&w->poll);
  w->armed = 0;
  if (w->state == WATCHER_IDLE) multi_end_connection(w);
}

static void on_socket_event(uv_poll_t *poll, int status, int events);

static void unmute(watcher *w)
{
  w->muted = false;
  if (w->wanted) watcher_want(w, w->wanted, on_socket_event);
}

static void on_unmute(timer *t)
{
  multi *m = container_of(t, multi, unmute);
  const watcher_table *watchers = &m->shared->watchers;
  for (size_t fd = 0; fd < watchers->capacity; fd++)
    if (watchers->by_fd[fd] && watchers->by_fd[fd]->multi == m && watchers->by_fd[fd]->muted)
      unmute(watchers->by_fd[fd]);
}

/* libcurl 7.88 wants to hear that a socket is writable as long as an HTTP/2 stream has something to send,
 * also while the peer takes nothing (its window is closed): then every turn of the loop would call it in
 * vain. A few vain calls in a row are no proof, since it also writes what it has taken before. */
static void note_writable(multi *m, int fd, bool moved)
{
  enum { MAX_FUTILE = 8 };
  static const uint64_t MUTED = 20 * MILLISECOND;
  watcher *w = watcher_find(&m->shared->watchers, fd);
  if (!w || w->wanted != (UV_READABLE | UV_WRITABLE)) return;
  if (moved)
    w->futile = 0;
  else if (w->futile < MAX_FUTILE)
    w->futile++;
  if (w->futile < MAX_FUTILE) return;
  w->muted = true;
  w->armed = UV_READABLE;
  uv_poll_start(&w->poll, UV_READABLE, on_socket_event);
  loop *l = m->shared->loop;
  if (!timer_active(&m->unmute)) clock_start(&l->real, &m->unmute, loop_now(l) + MUTED, on_unmute);
}

static void note_readable(multi *m, int fd)
{
  watcher *w = watcher_find(&m->shared->watchers, fd);
  if (!w) return;
  w->heard = loop_now(m->shared->loop);
  w->futile = 0;
  if (w->muted) unmute(w);
}

static bool has_input(int fd)
{
  int available = 0;
  return ioctl(fd, FIONREAD, &available) == 0 && available > 0;
}

/* libcurl 7.88 takes from a socket what is there, gives a part of it to the HTTP/2 streams, and may then
 * forget the rest: it asks for no call, and the socket, which is empty now, never becomes readable. It is
 * called as if that had, until no more comes. */
static void on_look_again(deferred *d)
{
  multi *m = container_of(d, multi, look_again);
  size_t left = 0;
  for (const watcher *w = m->drained; w; w = w->next_drained) left++;
  while (left-- && m->drained) {
    watcher *w = m->drained;
    uint8_t looks = (uint8_t)(w->looks - 1);
    int fd = w->fd;
    forget_drained(w);
    if (!(w->wanted & UV_READABLE)) continue;
    if (!has_input(fd)) act(m, fd, CURL_CSELECT_IN);
    w = looks ? watcher_find(&m->shared->watchers, fd) : NULL;
    if (w && w->multi == m && !w->looks) look_again(w, looks);
  }
}

static void on_socket_event(uv_poll_t *poll, int status, int events)
{
  watcher *w = (watcher *)poll;
  loop_event(w->multi->shared->loop);
  if (!w->wanted) {
    on_idle_input(w);
    return;
  }
  if (status >= 0 && !(events & w->wanted)) { /* armed for more than is wanted now */
    w->armed = w->wanted;
    uv_poll_start(poll, w->wanted, on_socket_event);
    return;
  }
  int flags = 0, fd = w->fd;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  if (status < 0) {
    /* libuv has stopped watching. CURL_CSELECT_ERR alone would make libcurl give up unread what came before
     * the error; reading meets the error in its turn, or writing where nothing is read any more. */
    w->armed = 0;
    flags = CURL_CSELECT_ERR | (w->wanted & UV_READABLE ? CURL_CSELECT_IN : CURL_CSELECT_OUT);
  }
  multi *m = w->multi;
  unsigned uploads = m->uploads;
  loop_note_activity(m->shared->loop);
  act(m, fd, flags);
  if (status >= 0 && events & UV_READABLE) note_readable(m, fd);
  if (status >= 0 && events == UV_WRITABLE) note_writable(m, fd, m->uploads != uploads);
  w = status < 0 ? watcher_find(&m->shared->watchers, fd) : NULL;
  if (w && w->wanted && !w->armed) watcher_want(w, w->wanted, on_socket_event);
  loop_checkpoint(m->shared->loop);
}

/* libcurl has no other sockets that open_socket did not make. */
static watcher *watch_lookup(multi *m, int fd)
{
  watcher *w = watcher_open(&m->shared->watchers, m->shared->loop->uv, fd);
  if (!w) return NULL;
  w->state = WATCHER_LOOKUP;
  m->shared->loop->jobs++;
  return w;
}

static int set_interest(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
  multi *m = user;
  watcher_table *watchers = &m->shared->watchers;
  (void)unused;
  if (what == CURL_POLL_REMOVE) {
    watcher *w = watcher_find(watchers, fd);
    if (!w) return 0;
    note_lost(w);
    if (is_lost(w)) {
      forget(w);
      return 0;
    }
    release_job(w);
    w->wanted = 0;
    const multi_job *job = job_of(easy);
    watcher_set_state(w, job && !job->class->expects_more(job) ? WATCHER_IDLE : WATCHER_ACTIVE);
    if (w->state != WATCHER_IDLE) return 0;
    multi_port_of(w);
    resting_add(&m->shared->resting, w);
    return 0;
  }
  watcher *w = watcher_find(watchers, fd);
  if (!w && !(w = watch_lookup(m, fd))) return -1;
  w->multi = m;
  w->due = 0;
  if (w->state == WATCHER_IDLE) w->state = WATCHER_ACTIVE;
  int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  watcher_want(w, events, on_socket_event);
  return 0;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
  multi_job *job = user;
  multi *m = job->multi;
  (void)purpose;
  if (!job->class->may_connect(job)) {
    wake_later(m, job);
    return CURL_SOCKET_BAD;
  }
  if (!job->class->may_reach(job, address)) {
    wake_later(m, job);
    return CURL_SOCKET_BAD;
  }
  failed_address peer = failed_address_of(&address->addr, address->addrlen);
  if (job->picks && failed_addresses_has(&m->shared->failed, &peer, loop_now(m->shared->loop))) {
    job->skipped = true;
    wake_later(m, job);
    return CURL_SOCKET_BAD;
  }
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE) {
      m->no_descriptor = true;
      if (!m->shared->starving_since) m->shared->starving_since = loop_now(m->shared->loop);
      m->shared->on_no_descriptor(m->shared);
    }
    return CURL_SOCKET_BAD;
  }
  m->shared->starving_since = 0;
  watcher *w = watcher_find(&m->shared->watchers, fd);
  if (w) forget(w); /* closed before libcurl wanted anything of it */
  w = watcher_open(&m->shared->watchers, m->shared->loop->uv, fd);
  if (!w) {
    close(fd);
    return CURL_SOCKET_BAD;
  }
  w->multi = m;
  w->state = WATCHER_CONNECTING;
  w->job = job;
  w->address = peer;
  job->sockets++;
  job->opened = true;
  w->next_new = m->new_sockets;
  m->new_sockets = w;
  m->sockets++;
  return fd;
}

static int close_socket(void *user, curl_socket_t fd)
{
  multi *m = user;
  watcher *w = watcher_find(&m->shared->watchers, fd);
  if (w) note_lost(w);
  if (w) forget(w);
  int result = close(fd);
  m->shared->on_descriptor_freed(m->shared);
  return result;
}

void multi_set_options(multi *m, CURL *easy)
{
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, job_of(easy));
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, m);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
}

/* ---- sockets that others use ---- */

watcher *multi_take_socket(multi *m, CURL *easy, void *user)
{
  curl_socket_t fd = CURL_SOCKET_BAD;
  curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
  watcher *w = watcher_find(&m->shared->watchers, fd);
  if (!w || w->multi != m || w->state == WATCHER_ENDED) return NULL;
  release_job(w);
  w->state = WATCHER_TAKEN;
  w->wanted = 0;
  w->poll.data = user;
  return w;
}

watcher *multi_take_detached(multi_shared *s, int fd, void *user)
{
  watcher *w = watcher_open(&s->watchers, s->loop->uv, fd);
  if (!w) return NULL;
  w->state = WATCHER_TAKEN;
  w->poll.data = user;
  return w;
}

void multi_watch_taken(watcher *w, int events, uv_poll_cb on_event)
{
  if (w->wanted == events && w->armed == events) return;
  w->wanted = w->armed = (uint8_t)events;
  if (events)
    uv_poll_start(&w->poll, events, on_event);
  else
    uv_poll_stop(&w->poll);
}

/* ---- life ---- */

void multi_init(multi *m, multi_shared *shared, const loop_clock *time, size_t max_connections)
{
  *m = (multi){.shared = shared,
               .time = time,
               .max_connections = max_connections,
               .action.run = on_action,
               .look_again.run = on_look_again};
}

static bool open_multi(multi *m)
{
  m->handle = curl_multi_init();
  if (!m->handle) return false;
  curl_multi_setopt(m->handle, CURLMOPT_SOCKETFUNCTION, set_interest);
  curl_multi_setopt(m->handle, CURLMOPT_SOCKETDATA, m);
  curl_multi_setopt(m->handle, CURLMOPT_TIMERFUNCTION, set_timer);
  curl_multi_setopt(m->handle, CURLMOPT_TIMERDATA, m);
  curl_multi_setopt(m->handle, CURLMOPT_MAXCONNECTS, (long)m->max_connections);
  curl_multi_setopt(m->handle, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
  return true;
}

/* Its connection may go on without it. */
static void leave_sockets(multi *m, multi_job *job)
{
  const watcher_table *watchers = &m->shared->watchers;
  for (size_t fd = 0; job->sockets && fd < watchers->capacity; fd++)
    if (watchers->by_fd[fd] && watchers->by_fd[fd]->job == job) release_job(watchers->by_fd[fd]);
  multi_job **place = &m->lost;
  while (*place && *place != job) place = &(*place)->next_lost;
  if (*place) *place = job->next_lost;
  job->lost = false;
}

bool multi_add(multi *m, multi_job *job, CURL *easy)
{
  if (!m->handle && !open_multi(m)) return false;
  job->multi = m;
  job->easy = easy;
  if (curl_multi_add_handle(m->handle, easy) != CURLM_OK) return false;
  m->in_flight++;
  return true;
}

void multi_remove(multi *m, multi_job *job)
{
  m->removing = true;
  curl_multi_remove_handle(m->handle, job->easy);
  m->removing = false;
  if (job->sockets || job->lost) leave_sockets(m, job);
  if (--m->in_flight == 0) m->idle_since = clock_now(m->time);
}

void multi_close_idle(multi *m)
{
  if (m->in_flight || !m->handle) return;
  curl_multi_cleanup(m->handle);
  m->handle = NULL;
  free(m->begun);
  m->begun = NULL;
  m->begun_count = m->begun_capacity = 0;
  watcher_table *watchers = &m->shared->watchers;
  for (size_t fd = 0; fd < watchers->capacity; fd++)
    if (watchers->by_fd[fd] && watchers->by_fd[fd]->multi == m) forget(watchers->by_fd[fd]);
  timer_stop(&m->timer);
  timer_stop(&m->unmute);
  timer_stop(&m->expiry);
  loop_undefer(m->shared->loop, &m->action);
  loop_undefer(m->shared->loop, &m->look_again);
}
