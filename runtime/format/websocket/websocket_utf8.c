#include "format/websocket/websocket_utf8.h"

#include <stdint.h>
#include <string.h>

/* How many bytes follow this first one, and the range of the next. False: it begins no character. */
static bool begin(websocket_utf8 *u, unsigned char first)
{
  if (first < 0xc2 || first > 0xf4) return false;
  u->missing = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  u->low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  u->high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return true;
}

static size_t skip_ascii(const char *bytes, size_t length)
{
  size_t at = 0;
  for (uint64_t eight; at + sizeof eight <= length; at += sizeof eight) {
    memcpy(&eight, bytes + at, sizeof eight);
    if (eight & UINT64_C(0x8080808080808080)) break;
  }
  while (at < length && !(bytes[at] & 0x80)) at++;
  return at;
}

bool websocket_utf8_check(websocket_utf8 *u, const char *bytes, size_t length)
{
  for (size_t at = 0; at < length; at++) {
    if (!u->missing && (at += skip_ascii(bytes + at, length - at)) == length) break;
    unsigned char c = (unsigned char)bytes[at];
    if (!u->missing) {
      if (!begin(u, c)) return false;
      continue;
    }
    if (c < u->low || c > u->high) return false;
    u->missing--;
    u->low = 0x80;
    u->high = 0xbf;
  }
  return true;
}
