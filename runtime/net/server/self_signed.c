#include "net/server/self_signed.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static const long DAY = 24L * 60 * 60;

static bool add_extension(X509 *certificate, int id, const char *value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
  bool done = extension && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return done;
}

static bool add_names(X509 *certificate, const char *const *names)
{
  GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
  bool done = list != NULL;
  for (; done && *names; names++) {
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(*names);
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = address ? NULL : ASN1_IA5STRING_new();
    done = name && (address || (text && ASN1_STRING_set(text, *names, -1) == 1)) &&
           sk_GENERAL_NAME_push(list, name) > 0;
    if (!done) {
      ASN1_OCTET_STRING_free(address);
      ASN1_IA5STRING_free(text);
      GENERAL_NAME_free(name);
      break;
    }
    if (address)
      GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    else
      GENERAL_NAME_set0_value(name, GEN_DNS, text);
  }
  done = done && X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1;
  sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
  return done;
}

static bool set_serial(X509 *certificate)
{
  uint64_t number;
  if (RAND_bytes((unsigned char *)&number, sizeof number) != 1) return false;
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1) == 1;
}

bool self_signed_new(const char *const *names, double expires_in, EVP_PKEY **key, X509 **certificate)
{
  EVP_PKEY *k = EVP_EC_gen("P-256");
  X509 *c = X509_new();
  long end = (long)expires_in, start = (end < 0 ? end : 0) - DAY;
  if (!k || !c) goto fail;
  X509_NAME *subject = X509_get_subject_name(c);
  if (X509_set_version(c, X509_VERSION_3) != 1 || !set_serial(c) ||
      !X509_gmtime_adj(X509_getm_notBefore(c), start) || !X509_gmtime_adj(X509_getm_notAfter(c), end) ||
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)"lurcher test server",
                                 -1, -1, 0) != 1 ||
      X509_set_issuer_name(c, subject) != 1 || X509_set_pubkey(c, k) != 1 || !add_names(c, names) ||
      !add_extension(c, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(c, NID_ext_key_usage, "serverAuth") || !X509_sign(c, k, EVP_sha256()))
    goto fail;
  *key = k;
  *certificate = c;
  return true;
fail:
  EVP_PKEY_free(k);
  X509_free(c);
  return false;
}

char *self_signed_pem(X509 *certificate)
{
  BIO *memory = BIO_new(BIO_s_mem());
  char *bytes, *text = NULL;
  if (memory && PEM_write_bio_X509(memory, certificate) == 1) {
    long length = BIO_get_mem_data(memory, &bytes);
    text = malloc((size_t)length + 1);
    if (text) {
      memcpy(text, bytes, (size_t)length);
      text[length] = '\0';
    }
  }
  BIO_free(memory);
  return text;
}
