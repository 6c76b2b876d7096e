#include "format/websocket/websocket_writer.h"

#include <string.h>
#include <sys/random.h>
#include <wslay/wslay.h>

enum { MAX_HEADER = 14 };

static ssize_t append(const uint8_t *bytes, size_t length, int flags, void *user)
{
  (void)flags;
  return buffer_append(user, bytes, length) ? (ssize_t)length : -1;
}

/* From the operating system, as RFC 6455 asks, but not by a system call for each frame. */
static int new_mask(uint8_t *mask, size_t length, void *user)
{
  static _Thread_local struct {
    uint8_t bytes[256];
    size_t left;
  } pool;
  (void)user;
  if (pool.left < length) {
    if (getrandom(pool.bytes, sizeof pool.bytes, 0) != (ssize_t)sizeof pool.bytes) return -1;
    pool.left = sizeof pool.bytes;
  }
  pool.left -= length;
  memcpy(mask, pool.bytes + pool.left, length);
  return 0;
}

bool websocket_write(buffer *out, websocket_opcode opcode, bool compressed, const char *bytes, size_t length)
{
  static const struct wslay_frame_callbacks callbacks = {.send_callback = append,
                                                         .genmask_callback = new_mask};
  struct wslay_frame_iocb frame = {.fin = 1,
                                   .rsv = compressed ? WSLAY_RSV1_BIT : WSLAY_RSV_NONE,
                                   .opcode = (uint8_t)opcode,
                                   .payload_length = length,
                                   .mask = 1,
                                   .data = (const uint8_t *)bytes,
                                   .data_length = length};
  wslay_frame_context_ptr context;
  size_t before = out->length;
  /* With room for all of it, `append` cannot fail in the midst. */
  if (!buffer_reserve(out, length + MAX_HEADER) || wslay_frame_context_init(&context, &callbacks, out))
    return false;
  bool ok = wslay_frame_send(context, &frame) == (ssize_t)length;
  wslay_frame_context_free(context);
  if (!ok) out->length = before;
  return ok;
}

bool websocket_write_close(buffer *out, unsigned code, const char *reason, size_t length)
{
  char payload[WEBSOCKET_MAX_CONTROL] = {(char)(code >> 8), (char)code};
  if (!code) return websocket_write(out, WEBSOCKET_CLOSE, false, "", 0);
  memcpy(payload + 2, reason, length);
  return websocket_write(out, WEBSOCKET_CLOSE, false, payload, length + 2);
}
