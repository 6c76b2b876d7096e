#include "net_rules.h"

#include "complaint.h"
#include "path_rules.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- addresses, all as IPv6 has them ---- */

static const unsigned char MAPPED[12] = {[10] = 0xff, [11] = 0xff};

static bool read_address(const char *text, unsigned char *bytes, bool *is_four)
{
  *is_four = inet_pton(AF_INET, text, bytes + 12) == 1;
  if (*is_four) memcpy(bytes, MAPPED, sizeof MAPPED);
  return *is_four || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool address_bytes(const struct sockaddr *address, unsigned char *bytes)
{
  const void *any = address;
  if (!address) return false;
  if (address->sa_family == AF_INET) {
    memcpy(bytes, MAPPED, sizeof MAPPED);
    memcpy(bytes + 12, &((const struct sockaddr_in *)any)->sin_addr, 4);
  } else if (address->sa_family == AF_INET6) {
    memcpy(bytes, &((const struct sockaddr_in6 *)any)->sin6_addr, 16);
  }
  return address->sa_family == AF_INET || address->sa_family == AF_INET6;
}

static bool has_prefix(const unsigned char *bytes, const unsigned char *prefix, int bits)
{
  int whole = bits / 8, rest = bits % 8;
  if (memcmp(bytes, prefix, (size_t)whole) != 0) return false;
  return !rest || (bytes[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

/* The IPv4 address that a translator makes of an address of IPv6, as IPv6 has that; false: none. */
static bool translated(const unsigned char *bytes, unsigned char *four)
{
  static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b}, compatible[12];
  int at = !memcmp(bytes, nat64, 12) || !memcmp(bytes, compatible, 12) ? 12
           : bytes[0] == 0x20 && bytes[1] == 0x02                      ? 2
                                                                       : 0;
  memcpy(four, MAPPED, sizeof MAPPED);
  memcpy(four + 12, bytes + at, 4);
  return at != 0;
}

/* ---- reading ---- */

static bool add_rule(net_rules *r, const net_rule *rule)
{
  net_rule *grown = realloc(r->rules, (r->count + 1) * sizeof *grown);
  if (!grown) return false;
  r->rules = grown;
  r->rules[r->count++] = *rule;
  return true;
}

/* Cuts ":443" or what stands behind "]"; false: it is no port. */
static bool cut_port(char *text, int *port)
{
  char *end, *colon = *text == '[' ? strchr(text, ']') : strchr(text, ':');
  *port = 0;
  if (*text == '[') {
    if (!colon) return false;
    *colon++ = '\0';
    memmove(text, text + 1, strlen(text));
    if (!*colon) return true;
  }
  if (!colon) return true;
  if (*colon != ':' || !isdigit((unsigned char)colon[1])) return false;
  *colon = '\0';
  *port = (int)strtol(colon + 1, &end, 10);
  return !*end && *port > 0 && *port < 65536;
}

/* "/8" of a range, as bits of IPv6; false: it is not so many. */
static bool cut_bits(char *text, int *bits)
{
  char *end, *slash = strchr(text, '/');
  *bits = -1;
  if (!slash) return true;
  if (!isdigit((unsigned char)slash[1])) return false;
  *slash = '\0';
  *bits = (int)strtol(slash + 1, &end, 10);
  return !*end && *bits >= 0 && *bits <= 128;
}

static bool read_range(char *text, net_rule *rule, bool *is_range)
{
  bool is_four;
  int bits;
  *is_range = strchr(text, '/') != NULL;
  if (!cut_bits(text, &bits)) return false;
  if (!read_address(text, rule->bytes, &is_four)) return !*is_range;
  *is_range = true;
  rule->kind = NET_RANGE;
  rule->bits = bits < 0 ? 128 : bits + (is_four ? 96 : 0);
  return rule->bits <= 128;
}

static bool read_name(char *text, net_rule *rule)
{
  struct in_addr odd;
  bool is_domain = !strncmp(text, "*.", 2);
  size_t length = strlen(text);
  while (length && text[length - 1] == '.') text[--length] = '\0';
  if (is_domain) text++;
  if (text[is_domain] == '.' || strstr(text, "..")) return false;
  for (char *at = text; *at; at++) {
    if (!isalnum((unsigned char)*at) && !strchr("-._", *at)) return false;
    *at = (char)tolower((unsigned char)*at);
  }
  rule->kind = is_domain ? NET_DOMAIN : NET_NAME;
  rule->text = strdup(text);
  return rule->text && text[is_domain] && !inet_aton(text, &odd);
}

static bool read_rule(char *text, net_rule *rule)
{
  bool is_range, is_bracketed = *text == '[';
  unsigned char ignored[16];
  *rule = (net_rule){.kind = NET_NAME};
  if (*text == '/') {
    rule->kind = NET_SOCKET;
    rule->text = path_rules_resolve(text);
    return rule->text;
  }
  if (inet_pton(AF_INET6, text, ignored) != 1 && !(strchr(text, '/') && strchr(text, ':') && *text != '[') &&
      !cut_port(text, &rule->port))
    return false;
  if (!read_range(text, rule, &is_range)) return false;
  return is_range || (!is_bracketed && read_name(text, rule));
}

bool net_rules_add(net_rules *r, const char *flag, const char *value)
{
  net_rule rule = {.kind = NET_PUBLIC};
  if (!value) return add_rule(r, &rule);
  char *copy = strdup(value), *rest = copy;
  bool ok = copy != NULL;
  for (char *one; ok && (one = strsep(&rest, ","));) ok = *one && read_rule(one, &rule) && add_rule(r, &rule);
  free(copy);
  if (!ok)
    complain(
        "%s=%s: give hosts (example.com, example.com:443), domains (*.example.com), addresses or ranges of "
        "them (10.0.0.0/8, [::1]:80) or paths of sockets, with commas between",
        flag, value);
  return ok;
}

/* ---- asking ---- */

static bool has_name(const net_rule *rule, const char *name)
{
  size_t length = strlen(name), end = rule->text ? strlen(rule->text) : 0;
  if (rule->kind == NET_NAME) return !strcmp(rule->text, name);
  return rule->kind == NET_DOMAIN && length > end && !strcmp(name + length - end, rule->text);
}

static bool in_range(const net_rule *rule, const unsigned char *bytes)
{
  return rule->kind == NET_RANGE && has_prefix(bytes, rule->bytes, rule->bits);
}

static bool is_socket(const net_rule *rule, const struct sockaddr *address)
{
  const void *any = address;
  return rule->kind == NET_SOCKET && address && address->sa_family == AF_UNIX &&
         !strcmp(rule->text, ((const struct sockaddr_un *)any)->sun_path);
}

static bool is_private(const struct sockaddr *address) { return lur_address_is_private(address) != 0; }

static bool allows_name(const net_rule *rule, const lur_access *access)
{
  struct sockaddr_in6 six = {.sin6_family = AF_INET6};
  bool is_four;
  if (access->why && !strcmp(access->why, "a Unix socket")) return rule->kind == NET_SOCKET; /* asked next */
  if (!read_address(access->name, six.sin6_addr.s6_addr, &is_four))
    return rule->kind == NET_PUBLIC || has_name(rule, access->name);
  if (in_range(rule, six.sin6_addr.s6_addr)) return true;
  return rule->kind == NET_PUBLIC && !is_private((const void *)&six);
}

/* Where only a proxy will know the address, it may be any. */
static bool allows_address(const net_rule *rule, const lur_access *access)
{
  unsigned char bytes[16];
  if (is_socket(rule, access->address)) return true;
  if (access->address->sa_family == AF_UNIX) return false;
  if (rule->kind == NET_NAME && has_name(rule, access->name)) return true;
  if (address_bytes(access->address, bytes) && in_range(rule, bytes)) return true;
  bool fits = rule->kind == NET_PUBLIC || has_name(rule, access->name);
  return fits && !is_private(access->address);
}

static bool allows_listening(const net_rule *rule, const lur_access *access)
{
  unsigned char bytes[16], loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127};
  if (is_socket(rule, access->address)) return true;
  if (!address_bytes(access->address, bytes)) return false;
  bool here = has_prefix(bytes, loopback, 104) || IN6_IS_ADDR_LOOPBACK((struct in6_addr *)(void *)bytes);
  return in_range(rule, bytes) || (here && rule->kind == NET_NAME && has_name(rule, "localhost"));
}

static bool fits_port(const net_rule *rule, const lur_access *access)
{
  return !rule->port || rule->port == access->port;
}

bool net_rules_allow(const net_rules *r, const lur_access *access)
{
  for (size_t i = 0; i < r->count; i++) {
    const net_rule *rule = &r->rules[i];
    if (!fits_port(rule, access)) continue;
    bool allows = access->kind == LUR_NET_NAME      ? allows_name(rule, access)
                  : access->kind == LUR_NET_ADDRESS ? allows_address(rule, access)
                                                    : allows_listening(rule, access);
    if (allows) return true;
  }
  return false;
}

static bool denies(const net_rule *rule, const lur_access *access)
{
  unsigned char bytes[16], four[16];
  bool is_four;
  if (is_socket(rule, access->address) || has_name(rule, access->name)) return true;
  bool known =
      access->address ? address_bytes(access->address, bytes) : read_address(access->name, bytes, &is_four);
  return known && (in_range(rule, bytes) || (translated(bytes, four) && in_range(rule, four)));
}

bool net_rules_deny(const net_rules *r, const lur_access *access)
{
  for (size_t i = 0; i < r->count; i++)
    if (fits_port(&r->rules[i], access) && denies(&r->rules[i], access)) return true;
  return false;
}
