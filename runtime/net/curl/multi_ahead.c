#include "net/curl/multi_ahead.h"

#include "net/curl/multi_idle.h"

#include <openssl/ssl.h>

void multi_read_ahead(multi *m, CURL *easy, int local_port)
{
  struct curl_tlssessioninfo *session = NULL;
  if (!local_port) return;
  watcher *w = watcher_find_port(&m->shared->watchers, m, local_port);
  if (w && w->reads_ahead) return;
  w = multi_only_socket(m, local_port);
  curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session);
  if (!w || w->reads_ahead || !session || session->backend != CURLSSLBACKEND_OPENSSL || !session->internals)
    return;
  SSL_set_read_ahead(session->internals, 1);
  w->reads_ahead = true;
  w->ahead.next = m->ahead;
  w->ahead.session = session->internals;
  w->ahead.received = 0;
  m->ahead = w;
}

bool multi_has_more(watcher *w)
{
  if (w->ahead.received == w->multi->received || !(w->wanted & UV_READABLE)) return false;
  w->ahead.received = w->multi->received;
  return SSL_has_pending(w->ahead.session);
}
