/* What a WebSocket server sends: bytes in, messages out. Everything RFC 6455 forbids a server is found here.
 *
 *   while ((what = websocket_reader_next(r, &input)) != WEBSOCKET_MORE) …    what it found is in r->found */
#ifndef LURCHER_FORMAT_WEBSOCKET_READER_H
#define LURCHER_FORMAT_WEBSOCKET_READER_H

#include "core/error.h"
#include "format/websocket/websocket_deflate.h"
#include "format/websocket/websocket_utf8.h"
#include "format/websocket/websocket_writer.h"

#include <stdint.h>

typedef enum {
  WEBSOCKET_MORE,    /* all input is used up */
  WEBSOCKET_MESSAGE, /* text or binary, by r->opcode */
  WEBSOCKET_PINGED,
  WEBSOCKET_PONGED,
  WEBSOCKET_CLOSED, /* r->close_code; the bytes are the reason */
  WEBSOCKET_BROKEN  /* r->close_code is what to close with, r->fault says why */
} websocket_found;

typedef struct {
  const char *bytes;
  size_t length;
} websocket_input;

enum { WEBSOCKET_NO_CODE = 1005, WEBSOCKET_ABNORMAL = 1006 };

typedef struct {
  /* Set before it begins. */
  size_t max_message;         /* bytes, decompressed; SIZE_MAX: no limit */
  websocket_deflate *deflate; /* owned; NULL: not agreed on */

  /* What was found, until the next call. */
  websocket_input found;
  websocket_opcode opcode; /* of a message, also while it comes */
  unsigned close_code;
  error fault;

  struct wslay_frame_context *frames; /* NULL between frames: it takes 4 KB */
  websocket_input *input;             /* while it runs */
  uint64_t given, used;               /* bytes of this context's frames: handed over, and parsed to the end */
  unsigned char recent[14];           /* the last bytes that were handed over: as long as any header */
  uint64_t left;                      /* of the payload of the current frame */
  bool in_frame, in_control, in_message, compressed, is_final;
  websocket_opcode control;
  unsigned char control_length;
  char payload[WEBSOCKET_MAX_CONTROL];
  buffer message;
  websocket_utf8 text;
} websocket_reader;

/* The next thing in the input, of which it takes what it needs. After WEBSOCKET_CLOSED or WEBSOCKET_BROKEN
 * not to be called again. */
websocket_found websocket_reader_next(websocket_reader *r, websocket_input *input);

/* Whether a frame or a message has begun. */
bool websocket_reader_is_busy(const websocket_reader *r);

/* Whether an endpoint may close with this code. */
bool websocket_is_close_code(unsigned code);

void websocket_reader_free(websocket_reader *r);

#endif
