#include "lurcher.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  uint8_t bytes[4];
  int bits;
} range4;

/* RFC 6890 and its registry, without what leads to anycast services of the internet. */
static const range4 private4[] = {
    {{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},    {{100, 64, 0, 0}, 10},   {{127, 0, 0, 0}, 8},
    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12}, {{192, 0, 0, 0}, 24},    {{192, 0, 2, 0}, 24},
    {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15}, {{198, 51, 100, 0}, 24}, {{203, 0, 113, 0}, 24},
    {{224, 0, 0, 0}, 4},    {{240, 0, 0, 0}, 4},
};

static bool has_prefix(const uint8_t *address, const uint8_t *prefix, int bits)
{
  int whole = bits / 8, rest = bits % 8;
  if (memcmp(address, prefix, (size_t)whole) != 0) return false;
  return rest == 0 || ((address[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static bool is_private4(const uint8_t *address)
{
  for (size_t i = 0; i < sizeof private4 / sizeof *private4; i++)
    if (has_prefix(address, private4[i].bytes, private4[i].bits)) return true;
  return false;
}

/* Where the IPv4 address begins in an address of IPv6 that stands for one; 0: it does not. */
static int embedded4(const uint8_t *six)
{
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, translated[12] = {0, 0x64, 0xff, 0x9b};
  if (has_prefix(six, mapped, 96) || has_prefix(six, translated, 96)) return 12;
  return six[0] == 0x20 && six[1] == 0x02 ? 2 : 0;
}

/* Only 2000::/3 is of the internet, without Teredo, ORCHID and what is for documents. */
static bool is_private6(const uint8_t *six)
{
  static const uint8_t assigned[] = {0x20, 0x01, 0x00}, documents[] = {0x20, 0x01, 0x0d, 0xb8},
                       more_documents[] = {0x3f, 0xff, 0x00};
  int at = embedded4(six);
  if (at) return is_private4(six + at);
  if (six[0] >> 5 != 1) return true;
  return has_prefix(six, assigned, 23) || has_prefix(six, documents, 32) ||
         has_prefix(six, more_documents, 20);
}

int lur_address_is_private(const struct sockaddr *address)
{
  if (!address) return 1;
  if (address->sa_family == AF_INET)
    return is_private4((const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
  if (address->sa_family == AF_INET6)
    return is_private6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
  return 1;
}
