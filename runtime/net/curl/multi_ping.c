#include "net/curl/multi_ping.h"

#include "net/curl/multi_idle.h"

#include <linux/sockios.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* RFC 9113, 6.7: eight bytes of anything. */
static const unsigned char PING[] = {0, 0, 8, 6, 0, 0, 0, 0, 0, 'l', 'u', 'r', 'c', 'h', 'e', 'r', '!'};

enum { MAX_RECORDS = 512 }; /* of TLS, for one frame */

static SSL *session_of(CURL *easy)
{
  struct curl_tlssessioninfo *session = NULL;
  curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session);
  return session && session->backend == CURLSSLBACKEND_OPENSSL ? session->internals : NULL;
}

/* All that libcurl and OpenSSL had to send is sent. */
static bool is_between_frames(const watcher *w, SSL *session)
{
  int unsent = 0;
  if (w->wanted != UV_READABLE || w->state == WATCHER_ENDED) return false;
  if (ioctl(w->fd, SIOCOUTQ, &unsent) || unsent) return false;
  return !session || (SSL_is_init_finished(session) && !SSL_want_write(session));
}

/* What the session makes of it, without passing through libcurl, which expects to be in a call then. 0: it
 * failed. */
static int encrypt(SSL *session, unsigned char *records)
{
  BIO *theirs = SSL_get_wbio(session), *memory = BIO_new(BIO_s_mem());
  int length = 0;
  if (!memory) return 0;
  BIO_up_ref(theirs);
  SSL_set0_wbio(session, memory);
  if (SSL_write(session, PING, sizeof PING) > 0) length = BIO_read(memory, records, MAX_RECORDS);
  SSL_set0_wbio(session, theirs);
  ERR_clear_error();
  return length > 0 ? length : 0;
}

/* Its socket. libcurl does not tell it while a transfer runs. */
static const watcher *socket_of(const multi *m, SSL *session, int local_port)
{
  if (!session) return multi_only_socket(m, local_port);
  const watcher *w = m->ahead;
  while (w && w->ahead.session != session) w = w->ahead.next;
  return w;
}

bool multi_ping(multi *m, CURL *easy, int local_port)
{
  unsigned char records[MAX_RECORDS];
  const unsigned char *bytes = PING;
  int length = sizeof PING;
  SSL *session = session_of(easy);
  const watcher *w = socket_of(m, session, local_port);
  if (!w || !is_between_frames(w, session)) return false;
  if (session) {
    length = encrypt(session, records);
    bytes = records;
  }
  if (!length) return false;
  /* What was sent in part puts the peer out of step. */
  if (send(w->fd, bytes, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) != length) shutdown(w->fd, SHUT_RDWR);
  return true;
}
