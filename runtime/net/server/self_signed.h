/* A certificate made on the spot, for servers that only this process talks to. */
#ifndef LURCHER_NET_SELF_SIGNED_H
#define LURCHER_NET_SELF_SIGNED_H

#include <openssl/x509.h>
#include <stdbool.h>

/* Makes a key (P-256) and a certificate for the NULL-ended `names` (DNS names and IP addresses), valid since
 * a day before it ends or since yesterday, until `expires_in` seconds from now. Both are the caller's. False:
 * OpenSSL's error queue says why. */
bool self_signed_new(const char *const *names, double expires_in, EVP_PKEY **key, X509 **certificate);

/* The certificate in PEM, to be freed by free(); NULL on failure. */
char *self_signed_pem(X509 *certificate);

#endif
