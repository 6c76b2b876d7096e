#include "format/websocket/websocket_reader.h"

#include <string.h>
#include <wslay/wslay.h>

enum { BAD_FRAME = 1002, BAD_BYTES = 1007, TOO_LARGE = 1009, INTERNAL = 1011, SMALL = 4096 };

static websocket_found broken(websocket_reader *r, unsigned code, const char *what)
{
  r->close_code = code;
  error_set(&r->fault, ERROR_websocket, "read", "the server sent %s (closed with %u)", what, code);
  return WEBSOCKET_BROKEN;
}

static websocket_found no_memory(websocket_reader *r)
{
  r->close_code = INTERNAL;
  error_set(&r->fault, ERROR_limit, NULL, "out of memory");
  return WEBSOCKET_BROKEN;
}

static websocket_found too_large(websocket_reader *r, uint64_t more)
{
  r->close_code = TOO_LARGE;
  error_set(&r->fault, ERROR_too_large, "read", "a message of more than %zu bytes (max_message)",
            r->max_message);
  r->fault.limit = (double)r->max_message;
  r->fault.observed = (double)(r->in_message ? r->message.length : 0) + (double)more;
  return WEBSOCKET_BROKEN;
}

/* ---- frames ---- */

static void note_recent(websocket_reader *r, const char *bytes, size_t length)
{
  enum { ROOM = sizeof r->recent };
  size_t kept = length < ROOM ? ROOM - length : 0;
  memmove(r->recent, r->recent + ROOM - kept, kept);
  memcpy(r->recent + kept, bytes + length - (ROOM - kept), ROOM - kept);
}

static ssize_t give(uint8_t *to, size_t room, int flags, void *user)
{
  websocket_reader *r = user;
  size_t length = r->input->length < room ? r->input->length : room;
  (void)flags;
  if (!length) return -1;
  memcpy(to, r->input->bytes, length);
  note_recent(r, r->input->bytes, length);
  r->input->bytes += length;
  r->input->length -= length;
  r->given += length;
  return (ssize_t)length;
}

static bool open_frames(websocket_reader *r)
{
  static const struct wslay_frame_callbacks callbacks = {.recv_callback = give};
  r->given = r->used = 0;
  return !wslay_frame_context_init(&r->frames, &callbacks, r);
}

static void close_frames(websocket_reader *r)
{
  if (r->frames) wslay_frame_context_free(r->frames);
  r->frames = NULL;
}

static uint64_t header_length(const struct wslay_frame_iocb *f)
{
  return 2 + (f->payload_length > UINT16_MAX ? 8 : f->payload_length > WEBSOCKET_MAX_CONTROL ? 2 : 0);
}

/* Nothing of a next frame is there: an idle connection should hold no memory. */
static void rest(websocket_reader *r)
{
  if (r->in_frame || r->given != r->used) return;
  close_frames(r);
  if (!r->in_message) buffer_free(&r->message);
}

/* What is wrong with a frame by its header, or NULL. */
static const char *fault_of(const websocket_reader *r, const struct wslay_frame_iocb *f)
{
  bool begins = f->opcode == WSLAY_TEXT_FRAME || f->opcode == WSLAY_BINARY_FRAME;
  bool is_control = wslay_is_ctrl_frame(f->opcode);
  if (f->mask) return "a masked frame";
  if (f->opcode > WSLAY_PONG || (f->opcode > WSLAY_BINARY_FRAME && !is_control)) return "a reserved opcode";
  if (f->rsv & ~(r->deflate && begins ? WSLAY_RSV1_BIT : 0u))
    return "a reserved bit that nothing was agreed on";
  if (f->opcode == WSLAY_CONTINUATION_FRAME && !r->in_message) return "a continuation of no message";
  if (begins && r->in_message) return "a new message before the end of the last";
  return NULL;
}

static bool is_above_limit(const websocket_reader *r, uint64_t length)
{
  size_t held = r->in_message ? r->message.length : 0;
  return length > r->max_message - held;
}

/* wslay hands over a header with the first byte of its payload. What is wrong by the header alone, or by a
 * part of it, is told before: that byte may never come. */
static websocket_found check_begun(websocket_reader *r)
{
  uint64_t have = r->given - r->used;
  if (r->in_frame || have < 2 || have > sizeof r->recent) return WEBSOCKET_MORE;
  const unsigned char *header = r->recent + sizeof r->recent - have;
  struct wslay_frame_iocb f = {.fin = header[0] >> 7,
                               .rsv = header[0] >> 4 & 7,
                               .opcode = header[0] & 15,
                               .mask = header[1] >> 7,
                               .payload_length = header[1] & 127};
  const char *fault = fault_of(r, &f);
  if (fault) return broken(r, BAD_FRAME, fault);
  size_t bytes = f.payload_length == 127 ? 8 : f.payload_length == 126 ? 2 : 0;
  if (wslay_is_ctrl_frame(f.opcode) || have < 2 + bytes) return WEBSOCKET_MORE;
  if (bytes) f.payload_length = 0;
  for (size_t i = 0; i < bytes; i++) f.payload_length = f.payload_length << 8 | header[2 + i];
  bool is_compressed = f.rsv || (r->in_message && r->compressed);
  return !is_compressed && is_above_limit(r, f.payload_length) ? too_large(r, f.payload_length)
                                                               : WEBSOCKET_MORE;
}

static websocket_found begin_frame(websocket_reader *r, const struct wslay_frame_iocb *f)
{
  const char *fault = fault_of(r, f);
  if (fault) return broken(r, BAD_FRAME, fault);
  r->in_frame = true;
  r->left = f->payload_length;
  r->is_final = f->fin;
  r->in_control = wslay_is_ctrl_frame(f->opcode);
  if (r->in_control) {
    r->control = (websocket_opcode)f->opcode;
    r->control_length = 0;
    return WEBSOCKET_MORE;
  }
  if (!r->in_message) {
    r->in_message = true;
    r->opcode = (websocket_opcode)f->opcode;
    r->compressed = f->rsv & WSLAY_RSV1_BIT;
    r->message.length = 0;
    r->text = (websocket_utf8){0};
  }
  if (!r->compressed && is_above_limit(r, f->payload_length)) return too_large(r, f->payload_length);
  return WEBSOCKET_MORE;
}

/* ---- messages ---- */

static websocket_found inflate_into(websocket_reader *r, const char *bytes, size_t length, bool last)
{
  switch (websocket_deflate_read(r->deflate, bytes, length, last, r->max_message, &r->message)) {
  case WEBSOCKET_INFLATED:
    return WEBSOCKET_MORE;
  case WEBSOCKET_INFLATED_TOO_LARGE:
    return too_large(r, 0);
  case WEBSOCKET_NOT_DEFLATED:
    return broken(r, BAD_BYTES, "a compressed message that does not decompress");
  default:
    return no_memory(r);
  }
}

static websocket_found take_data(websocket_reader *r, const char *bytes, size_t length, bool last)
{
  size_t checked = r->message.length;
  websocket_found found = WEBSOCKET_MORE;
  if (r->compressed)
    found = inflate_into(r, bytes, length, last);
  else if (length && !buffer_append(&r->message, bytes, length))
    return no_memory(r);
  if (found != WEBSOCKET_MORE || r->opcode != WEBSOCKET_TEXT) return found;
  size_t more = r->message.length - checked;
  bool well = !more || websocket_utf8_check(&r->text, r->message.bytes + checked, more);
  if (!well || (last && !websocket_utf8_is_whole(&r->text)))
    return broken(r, BAD_BYTES, "a text message that is not UTF-8");
  return WEBSOCKET_MORE;
}

/* ---- control frames ---- */

bool websocket_is_close_code(unsigned code)
{
  return (code >= 1000 && code <= 1014 && code != 1004 && code != WEBSOCKET_NO_CODE &&
          code != WEBSOCKET_ABNORMAL) ||
         (code >= 3000 && code <= 4999);
}

static websocket_found closed(websocket_reader *r)
{
  const unsigned char *payload = (const unsigned char *)r->payload;
  r->close_code = WEBSOCKET_NO_CODE;
  r->found = (websocket_input){"", 0};
  if (!r->control_length) return WEBSOCKET_CLOSED;
  if (r->control_length == 1) return broken(r, BAD_FRAME, "a close frame with half a code");
  unsigned code = (unsigned)payload[0] << 8 | payload[1];
  if (!websocket_is_close_code(code))
    return broken(r, BAD_FRAME, "a close frame with a code that must not be sent");
  websocket_utf8 text = {0};
  r->found = (websocket_input){r->payload + 2, r->control_length - 2u};
  if (!websocket_utf8_check(&text, r->found.bytes, r->found.length) || !websocket_utf8_is_whole(&text))
    return broken(r, BAD_BYTES, "a close frame whose reason is not UTF-8");
  r->close_code = code;
  return WEBSOCKET_CLOSED;
}

static websocket_found end_control(websocket_reader *r)
{
  if (r->control == WEBSOCKET_CLOSE) return closed(r);
  r->found = (websocket_input){r->payload, r->control_length};
  return r->control == WEBSOCKET_PING ? WEBSOCKET_PINGED : WEBSOCKET_PONGED;
}

static websocket_found end_message(websocket_reader *r)
{
  if (!r->is_final) return WEBSOCKET_MORE;
  r->in_message = false;
  r->found = (websocket_input){r->message.bytes ? r->message.bytes : "", r->message.length};
  return WEBSOCKET_MESSAGE;
}

/* ---- all of it ---- */

static websocket_found take_payload(websocket_reader *r, const struct wslay_frame_iocb *f)
{
  websocket_found found = WEBSOCKET_MORE;
  const char *bytes = (const char *)f->data;
  r->left -= f->data_length;
  if (r->in_control) {
    memcpy(r->payload + r->control_length, bytes, f->data_length);
    r->control_length = (unsigned char)(r->control_length + f->data_length);
  } else {
    found = take_data(r, bytes, f->data_length, !r->left && r->is_final);
  }
  if (found != WEBSOCKET_MORE || r->left) return found;
  r->in_frame = false;
  r->used += header_length(f) + f->payload_length;
  return r->in_control ? end_control(r) : end_message(r);
}

websocket_found websocket_reader_next(websocket_reader *r, websocket_input *input)
{
  if (!r->frames && !input->length) return WEBSOCKET_MORE;
  if (!r->in_message && r->message.capacity > SMALL) buffer_free(&r->message);
  if (!r->frames && !open_frames(r)) return no_memory(r);
  r->input = input;
  for (;;) {
    struct wslay_frame_iocb frame = {0};
    ssize_t result = wslay_frame_recv(r->frames, &frame);
    if (result == WSLAY_ERR_WANT_READ && !input->length) {
      rest(r);
      return check_begun(r);
    }
    if (result == WSLAY_ERR_WANT_READ) continue; /* a part of a header came before */
    if (result < 0) return broken(r, BAD_FRAME, "a control frame or a length that RFC 6455 does not allow");
    websocket_found found = r->in_frame ? WEBSOCKET_MORE : begin_frame(r, &frame);
    if (found == WEBSOCKET_MORE) found = take_payload(r, &frame);
    if (found != WEBSOCKET_MORE) return found;
  }
}

bool websocket_reader_is_busy(const websocket_reader *r) { return r->in_message || r->frames; }

void websocket_reader_free(websocket_reader *r)
{
  close_frames(r);
  buffer_free(&r->message);
  websocket_deflate_free(r->deflate);
  r->deflate = NULL;
}
