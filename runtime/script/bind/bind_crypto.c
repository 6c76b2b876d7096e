/* lurcher.native.crypto: digests, encodings and randomness by OpenSSL. Mechanism only: lua/lurcher/crypto.lua
 * checks arguments and gives other tasks their turn. What OpenSSL refuses (MD5 under FIPS, say) raises. */
#include "script/base/lua_class.h"

#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

int luaopen_lurcher_native_crypto(lua_State *L);

static const char digest_name[] = "lurcher.native.crypto.digest";

/* One of the two; both NULL once it is finished. */
typedef struct {
  EVP_MD_CTX *md;
  EVP_MAC_CTX *mac;
} digest;

static void digest_free(digest *d)
{
  EVP_MD_CTX_free(d->md);
  EVP_MAC_CTX_free(d->mac);
  *d = (digest){0};
}

static int collect_hash(lua_State *L)
{
  digest_free(lua_touserdata(L, 1));
  return 0;
}

static digest *push_digest(lua_State *L)
{
  digest *d = lua_newuserdata(L, sizeof *d);
  *d = (digest){0};
  luaL_getmetatable(L, digest_name);
  lua_setmetatable(L, -2);
  return d;
}

/* digest(name) → a digest of nothing yet */
static int new_digest(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  const EVP_MD *md = EVP_get_digestbyname(name);
  digest *d = push_digest(L);
  d->md = EVP_MD_CTX_new();
  if (!md || !d->md || !EVP_DigestInit_ex(d->md, md, NULL)) return luaL_error(L, "OpenSSL has no %s", name);
  return 1;
}

/* hmac(name, key) → the same, with a key */
static int new_hmac(lua_State *L)
{
  size_t length;
  const char *name = luaL_checkstring(L, 1), *key = luaL_checklstring(L, 2, &length);
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)name, 0),
      OSSL_PARAM_construct_end()};
  digest *d = push_digest(L);
  EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  d->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
  EVP_MAC_free(hmac);
  /* NULL as key would mean: the one of before */
  const unsigned char *bytes = (const unsigned char *)(length ? key : "");
  if (!d->mac || !EVP_MAC_init(d->mac, bytes, length, parameters))
    return luaL_error(L, "OpenSSL has no HMAC with %s", name);
  return 1;
}

static digest *check_digest(lua_State *L)
{
  digest *d = luaL_checkudata(L, 1, digest_name);
  if (!d->md && !d->mac) luaL_error(L, "the digest is finished");
  return d;
}

/* digest:update(text, from, to): takes bytes `from` to `to`, counted from 1; both are within the text */
static int update(lua_State *L)
{
  size_t length;
  digest *d = check_digest(L);
  const char *text = luaL_checklstring(L, 2, &length);
  size_t from = (size_t)luaL_checknumber(L, 3), to = (size_t)luaL_checknumber(L, 4);
  luaL_argcheck(L, from >= 1 && from <= to + 1 && to <= length, 3, "outside the text");
  const unsigned char *bytes = (const unsigned char *)text + from - 1;
  size_t count = to + 1 - from;
  int well = d->md ? EVP_DigestUpdate(d->md, bytes, count) : EVP_MAC_update(d->mac, bytes, count);
  return well ? 0 : luaL_error(L, "OpenSSL failed");
}

/* digest:finish() → its bytes */
static int finish(lua_State *L)
{
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned md_size = 0;
  size_t size = 0;
  digest *d = check_digest(L);
  int well =
      d->md ? EVP_DigestFinal_ex(d->md, bytes, &md_size) : EVP_MAC_final(d->mac, bytes, &size, sizeof bytes);
  if (d->md) size = md_size;
  digest_free(d);
  if (!well) return luaL_error(L, "OpenSSL failed");
  lua_pushlstring(L, (const char *)bytes, size);
  return 1;
}

/* ---- encodings ---- */

/* A text of which four bytes for each three fit into an int, which OpenSSL counts in. */
static const unsigned char *check_text(lua_State *L, size_t *length)
{
  const char *text = luaL_checklstring(L, 1, length);
  luaL_argcheck(L, *length < INT_MAX / 2, 1, "the text is longer than 1 GiB");
  return (const unsigned char *)text;
}

/* Memory that the collector owns. */
static char *scratch(lua_State *L, size_t size) { return lua_newuserdata(L, size + 1); }

/* hex(text) → two digits in lower case for each byte */
static int hex(lua_State *L)
{
  static const char digits[] = "0123456789abcdef";
  size_t length;
  const unsigned char *text = check_text(L, &length);
  char *out = scratch(L, 2 * length);
  for (size_t i = 0; i < length; i++) {
    out[2 * i] = digits[text[i] >> 4];
    out[2 * i + 1] = digits[text[i] & 15];
  }
  lua_pushlstring(L, out, 2 * length);
  return 1;
}

static size_t make_url_safe(char *text, size_t length)
{
  while (length && text[length - 1] == '=') length--;
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '+') text[i] = '-';
    if (text[i] == '/') text[i] = '_';
  }
  return length;
}

/* base64(text, url_safe) → RFC 4648; url_safe: "-" and "_", no padding */
static int base64(lua_State *L)
{
  size_t length;
  const unsigned char *text = check_text(L, &length);
  char *out = scratch(L, length / 3 * 4 + 4);
  size_t size = (size_t)EVP_EncodeBlock((unsigned char *)out, text, (int)length);
  if (lua_toboolean(L, 2)) size = make_url_safe(out, size);
  lua_pushlstring(L, out, size);
  return 1;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* The character of the usual alphabet that `c` stands for; 0: none. */
static char usual_digit(char c, bool url_safe)
{
  if (c >= 'A' && c <= 'Z') return c;
  if (c >= 'a' && c <= 'z') return c;
  if (c >= '0' && c <= '9') return c;
  if (c == (url_safe ? '-' : '+')) return '+';
  if (c == (url_safe ? '_' : '/')) return '/';
  return 0;
}

/* Copies the digits to `out` and returns their number; at a fault `*bad` is where, else the length. Padding,
 * which may be left out, makes the last four characters whole. */
static size_t collect_digits(const char *text, size_t length, bool url_safe, char *out, size_t *bad)
{
  size_t count = 0, padding = 0;
  for (size_t i = 0; i < length; i++) {
    *bad = i;
    if (is_blank(text[i])) continue;
    char digit = usual_digit(text[i], url_safe);
    if (digit && !padding)
      out[count++] = digit;
    else if (text[i] != '=' || count % 4 + ++padding > 4 || count % 4 < 2)
      return count;
  }
  bool whole = count % 4 != 1 && (padding == 0 || count % 4 + padding == 4);
  *bad = whole ? length : length - (length > 0);
  return count;
}

/* base64_decode(text, url_safe) → the bytes | nil, the place of the first bad character, from 1. Blanks and
 * line ends are skipped. */
static int base64_decode(lua_State *L)
{
  size_t length, bad = 0;
  const char *text = (const char *)check_text(L, &length);
  char *digits = scratch(L, length + 4);
  size_t count = collect_digits(text, length, lua_toboolean(L, 2), digits, &bad);
  if (bad < length) {
    lua_pushnil(L);
    lua_pushnumber(L, (double)bad + 1);
    return 2;
  }
  size_t padding = (4 - count % 4) % 4;
  memset(digits + count, 'A', padding);
  char *out = scratch(L, (count + padding) / 4 * 3);
  EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)digits, (int)(count + padding));
  lua_pushlstring(L, out, (count + padding) / 4 * 3 - padding);
  return 1;
}

/* ---- the rest ---- */

/* random(count) → that many bytes nobody can foretell */
static int random_bytes(lua_State *L)
{
  double count = luaL_checknumber(L, 1);
  luaL_argcheck(L, count >= 0 && count < INT_MAX, 1, "a number of bytes expected");
  char *out = scratch(L, (size_t)count);
  if (RAND_bytes((unsigned char *)out, (int)count) != 1) return luaL_error(L, "OpenSSL has no randomness");
  lua_pushlstring(L, out, (size_t)count);
  OPENSSL_cleanse(out, (size_t)count);
  return 1;
}

/* equal(a, b): whether the texts are the same, in a time that depends on their lengths only */
static int equal(lua_State *L)
{
  size_t length, other_length;
  const char *text = luaL_checklstring(L, 1, &length), *other = luaL_checklstring(L, 2, &other_length);
  lua_pushboolean(L, length == other_length && CRYPTO_memcmp(text, other, length) == 0);
  return 1;
}

int luaopen_lurcher_native_crypto(lua_State *L)
{
  static const luaL_Reg methods[] = {{"update", update}, {"finish", finish}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"digest", new_digest},           {"hmac", new_hmac},       {"hex", hex},     {"base64", base64},
      {"base64_decode", base64_decode}, {"random", random_bytes}, {"equal", equal}, {NULL, NULL},
  };
  class_new(L, digest_name, collect_hash, methods);
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  return 1;
}
