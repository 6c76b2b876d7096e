/* What the server's certificate says, for the message of a handshake that failed. */
#ifndef LURCHER_NET_TRANSFER_CERTIFICATE_H
#define LURCHER_NET_TRANSFER_CERTIFICATE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct transfer;

/* Makes OpenSSL tell the transfer of this easy handle, whose CURLOPT_PRIVATE is its job, which certificate it
 * looked at last. From CURLOPT_SSL_CTX_FUNCTION. */
void certificate_watch(CURL *easy, void *context);

/* Lets go of what certificate_watch brought. */
void certificate_forget(struct transfer *t);

/* Why the certificate was refused (an X509_V_ERR number), as a text that says what it holds and what to do.
 */
void certificate_describe(const struct transfer *t, long reason, char *text, size_t size);

/* "wrong host", which libcurl finds out: what names there are instead of the server's, or the proxy's. */
void certificate_describe_names(const struct transfer *t, bool of_proxy, char *text, size_t size);

/* The public key that there is instead of those in tls.pins. */
void certificate_describe_key(const struct transfer *t, char *text, size_t size);

#endif
