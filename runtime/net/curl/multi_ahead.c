#include "net/curl/multi_ahead.h"

#include "net/curl/multi_idle.h"

#include <openssl/ssl.h>

/* The one watcher with that port. Connections to different peers may share a port: then neither. */
static watcher *only_one_with(const multi *m, int local_port)
{
  const watcher_table *watchers = &m->shared->watchers;
  watcher *found = NULL;
  for (size_t fd = 0; fd < watchers->capacity; fd++) {
    watcher *w = watchers->by_fd[fd];
    if (!w || w->multi != m || multi_port_of(w) != local_port) continue;
    if (found) return NULL;
    found = w;
  }
  return found;
}

void multi_read_ahead(multi *m, CURL *easy, int local_port)
{
  struct curl_tlssessioninfo *session = NULL;
  if (!local_port) return;
  watcher *w = watcher_find_port(&m->shared->watchers, m, local_port);
  if (w && w->session) return;
  w = only_one_with(m, local_port);
  curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session);
  if (!w || w->session || !session || session->backend != CURLSSLBACKEND_OPENSSL || !session->internals)
    return;
  w->session = session->internals;
  SSL_set_read_ahead(session->internals, 1);
  w->next_ahead = m->ahead;
  m->ahead = w;
}

bool multi_has_more(watcher *w)
{
  if (w->received == w->multi->received || !(w->wanted & UV_READABLE)) return false;
  w->received = w->multi->received;
  return SSL_has_pending(w->session);
}
