#include "net/websocket/websocket_handshake.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

websocket_handshake *websocket_handshake_new(size_t max_headers)
{
  websocket_handshake *h = calloc(1, sizeof *h);
  if (!h) return NULL;
  head_init(&h->head, max_headers);
  h->head.upgrade_allowed = true;
  return h;
}

void websocket_handshake_free(websocket_handshake *h)
{
  if (!h) return;
  head_free(&h->head);
  free(h);
}

static bool is_too_long(const websocket_handshake *h, size_t length, error *e)
{
  size_t limit = h->head.limit;
  if (limit == SIZE_MAX || length <= limit - (h->head.received < limit ? h->head.received : limit))
    return false;
  error_set(e, ERROR_too_large, "read", "the response's headers are larger than %zu bytes (max_headers)",
            limit);
  e->limit = (double)limit;
  e->observed = (double)(h->head.received + length);
  return true;
}

handshake_state websocket_handshake_look(websocket_handshake *h, byte_queue *input, error *e)
{
  while (!head_complete(&h->head)) {
    const char *bytes = byte_queue_front(input);
    size_t length = byte_queue_length(input);
    const char *end = length > h->searched ? memchr(bytes + h->searched, '\n', length - h->searched) : NULL;
    if (!end) {
      h->searched = length;
      return is_too_long(h, length, e) ? HANDSHAKE_BROKEN : HANDSHAKE_MORE;
    }
    size_t line = (size_t)(end - bytes) + 1;
    if (!head_line(&h->head, bytes, line, e)) return HANDSHAKE_BROKEN;
    byte_queue_take(input, line);
    h->searched = 0;
  }
  return HANDSHAKE_COMPLETE;
}
