/* How a request is made, as far as it does not differ from one request to the next: limits, HTTP version,
 * TLS, addresses. Built once for a client, once more for each request that overrides something; immutable
 * then, counted. */
#ifndef LURCHER_NET_TRANSFER_OPTIONS_H
#define LURCHER_NET_TRANSFER_OPTIONS_H

#include "core/list.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
#define TEXT(id, name, option, splits) OPTION_##id,
#include "net/transfer/transfer_options.def"
  OPTION_TEXTS
} transfer_text;

typedef enum {
#define HTTP_VERSION(text, value, curl_value) value,
#include "net/transfer/transfer_options.def"
} http_version;

typedef enum {
#define TLS_VERSION(text, value, curl_value) value,
#include "net/transfer/transfer_options.def"
} tls_version;

typedef enum {
#define IP_VERSION(text, value, curl_value) value,
#include "net/transfer/transfer_options.def"
} ip_version;

/* Those of the texts that name files: three of the server's, then three of the proxy's. */
enum { TRANSFER_FILES = 6 };
extern const transfer_text transfer_files[TRANSFER_FILES];

/* What each option means is said in transfer_options.def. */
typedef struct transfer_options {
  unsigned references;
#define TIME(name) uint64_t name;
#define SIZE(name) size_t name;
#define FLAG(name) bool name;
#include "net/transfer/transfer_options.def"
  http_version version;
  tls_version tls_min, proxy_tls_min;
  ip_version ip;
  char *texts[OPTION_TEXTS];
  struct curl_slist *resolve;  /* "host:port:address" */
  int folders[TRANSFER_FILES]; /* of transfer_files.c: descriptors + 1; 0: none */
  char *identity;              /* what must be equal for requests to share connections */
  linked_list spares;          /* transfers whose easy handles have these options set: see transfer.c */
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

/* An easy handle with all of the options, which receives into a buffer of so many bytes. NULL: out
 * of memory. */
CURL *transfer_options_new_easy(const transfer_options *o, long receive_buffer);

/* libcurl's name of a version of TLS. */
long transfer_options_tls_version(tls_version version);

/* Sets how long libcurl may connect: a little longer than the limit, or, in virtual time, for very long. */
void transfer_options_set_connect(const transfer_options *o, CURL *easy, bool is_virtual);

#endif
