/* SHA-256 of bytes as they come, by OpenSSL. Any thread, one at a time. */
#ifndef LURCHER_CORE_SHA256_H
#define LURCHER_CORE_SHA256_H

#include <stddef.h>

enum { SHA256_DIGITS = 64 };

typedef struct evp_md_ctx_st sha256;

/* Of nothing yet. NULL: out of memory. */
sha256 *sha256_new(void);
void sha256_free(sha256 *hash); /* NULL: nothing */

void sha256_add(sha256 *hash, const char *bytes, size_t length);

/* Writes it as hexadecimal digits with a NUL. Nothing can be added afterwards. */
void sha256_end(sha256 *hash, char digits[SHA256_DIGITS + 1]);

#endif
