/* How a request is made, as far as it does not differ from one request to the next: limits, HTTP version,
 * TLS, addresses. Built once for a client, once more for each request that overrides something; immutable
 * then, counted. */
#ifndef LURCHER_NET_TRANSFER_OPTIONS_H
#define LURCHER_NET_TRANSFER_OPTIONS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  OPTION_CA, /* a file or a directory */
  OPTION_CERT,
  OPTION_KEY,
  OPTION_KEY_PASSWORD,
  OPTION_SERVER_NAME, /* for SNI and the certificate, instead of the URL's host */
  OPTION_PINS,        /* "sha256//…;sha256//…" */
  OPTION_UNIX_SOCKET,
  OPTION_LOCAL_ADDRESS,
  OPTION_RAW_TARGET, /* sent in place of the URL's path and query */
  OPTION_TEXTS
} transfer_text;

typedef enum { HTTP_AUTO, HTTP_1_1, HTTP_2, HTTP_2_PRIOR_KNOWLEDGE } http_version;
typedef enum { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 } tls_version;
typedef enum { IP_ANY, IP_4, IP_6 } ip_version;

typedef struct transfer_options {
  unsigned references;
  /* nanoseconds; 0: no limit */
  uint64_t connect, read, write, total, queue;
  size_t max_body, max_headers; /* SIZE_MAX: no cap */
  http_version version;
  bool decompress, verify;
  tls_version tls_min;
  ip_version ip;
  char *texts[OPTION_TEXTS];
  struct curl_slist *resolve; /* "host:port:address" */
  char *identity;             /* what must be equal for two profiles to share connections */
  struct transfer *spares;    /* transfers whose easy handles have these options set: see transfer.c */
  size_t spare_count;
} transfer_options;

/* With the defaults of the public contract, one reference. NULL: out of memory. */
transfer_options *transfer_options_new(void);

/* Takes a copy. False: out of memory. */
bool transfer_options_set_text(transfer_options *o, transfer_text which, const char *text);
bool transfer_options_add_resolve(transfer_options *o, const char *entry);

/* To be called when all is set. False: out of memory. */
bool transfer_options_seal(transfer_options *o);

void transfer_options_ref(transfer_options *o);
void transfer_options_unref(transfer_options *o);

/* An easy handle with all of the profile's options, which receives into a buffer of so many bytes. NULL: out
 * of memory. */
CURL *transfer_options_new_easy(const transfer_options *o, long receive_buffer);

#endif
