#include "core/file/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>

sha256 *sha256_new(void)
{
  sha256 *hash = EVP_MD_CTX_new();
  if (hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL)) return hash;
  sha256_free(hash);
  return NULL;
}

void sha256_free(sha256 *hash) { EVP_MD_CTX_free(hash); }

void sha256_add(sha256 *hash, const char *bytes, size_t length) { EVP_DigestUpdate(hash, bytes, length); }

void sha256_end(sha256 *hash, char digits[SHA256_DIGITS + 1])
{
  unsigned char bytes[SHA256_DIGITS / 2] = {0};
  EVP_DigestFinal_ex(hash, bytes, NULL);
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
}
