#include "net/curl/failed_addresses.h"

#include "core/loop/loop.h"

#include <string.h>

static const uint64_t REMEMBERED = 60000 * MILLISECOND;

failed_address failed_address_of(const struct sockaddr *address, unsigned length)
{
  failed_address kept = {0};
  bool is_ip = address->sa_family == AF_INET || address->sa_family == AF_INET6;
  if (!is_ip || length > sizeof kept.bytes) return kept;
  kept.length = length;
  memcpy(&kept.bytes, address, length);
  return kept;
}

void failed_addresses_add(failed_addresses *f, const failed_address *address, uint64_t now)
{
  if (!address->length) return;
  f->entries[f->next].address = *address;
  f->entries[f->next].until = now + REMEMBERED;
  f->next = (f->next + 1) % MAX_FAILED_ADDRESSES;
}

bool failed_addresses_has(const failed_addresses *f, const failed_address *address, uint64_t now)
{
  for (unsigned i = 0; address->length && i < MAX_FAILED_ADDRESSES; i++)
    if (f->entries[i].until > now && !memcmp(&f->entries[i].address, address, sizeof *address)) return true;
  return false;
}
