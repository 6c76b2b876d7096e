/* The authorities that certificates are verified against when the script names none. */
#ifndef LURCHER_NET_AUTHORITIES_H
#define LURCHER_NET_AUTHORITIES_H

#include <openssl/x509.h>

/* Those in `file`, libcurl's default: read at the first call of the process, from any thread, and shared by
 * all connections, because reading takes tens of milliseconds and a megabyte. NULL: the file cannot be
 * read; libcurl may then do what it can. */
X509_STORE *authorities_default(const char *file);

#endif
