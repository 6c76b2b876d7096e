#include "net/curl/authorities.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static X509_STORE *store;

static X509_STORE *read_store(const char *file)
{
  X509_STORE *s = X509_STORE_new();
  if (!s) return NULL;
  if (!X509_STORE_load_locations(s, file, NULL)) {
    X509_STORE_free(s);
    ERR_clear_error();
    return NULL;
  }
  X509_STORE_set_flags(s, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN); /* as libcurl does */
  return s;
}

X509_STORE *authorities_default(const char *file)
{
  pthread_mutex_lock(&lock);
  if (!store) store = read_store(file);
  pthread_mutex_unlock(&lock);
  return store;
}
