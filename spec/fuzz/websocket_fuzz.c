/* Feeds a server's bytes at once and in pieces: what is found must be the same, texts must be UTF-8, and no
 * message may be longer than the limit. */
#include "core/buffer.h"
#include "format/websocket/websocket_reader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 4096, DEFLATES = 1, NO_CONTEXT = 2, SMALL_WINDOW = 4, LIMITED = 8 };

static void require(bool holds)
{
  if (!holds) abort();
}

static void begin(websocket_reader *r, unsigned how)
{
  websocket_deflate_options options = {
      .server_no_context = how & NO_CONTEXT, .server_bits = how & SMALL_WINDOW ? 9 : 15, .client_bits = 15};
  *r = (websocket_reader){.max_message = how & LIMITED ? LIMIT : 1 << 20};
  if (how & DEFLATES) r->deflate = websocket_deflate_new(&options);
}

static void check_message(const websocket_reader *r)
{
  websocket_utf8 text = {0};
  require(r->found.length <= r->max_message);
  require(r->opcode == WEBSOCKET_TEXT || r->opcode == WEBSOCKET_BINARY);
  if (r->opcode == WEBSOCKET_TEXT)
    require(websocket_utf8_check(&text, r->found.bytes, r->found.length) && websocket_utf8_is_whole(&text));
}

static void note(buffer *log, websocket_found what, const websocket_reader *r)
{
  char kind = (char)what;
  buffer_append(log, &kind, 1);
  if (what == WEBSOCKET_BROKEN) return; /* with several faults in one piece, either may be found */
  buffer_append(log, (const char *)&r->found.length, sizeof r->found.length);
  buffer_append(log, r->found.bytes, r->found.length);
}

static void read_all(unsigned how, const char *bytes, size_t length, size_t size, buffer *log)
{
  websocket_reader r;
  begin(&r, how);
  websocket_found what = WEBSOCKET_MORE;
  for (size_t at = 0; at < length && what != WEBSOCKET_BROKEN && what != WEBSOCKET_CLOSED; at += size) {
    websocket_input input = {bytes + at, length - at < size ? length - at : size};
    while ((what = websocket_reader_next(&r, &input)) != WEBSOCKET_MORE) {
      note(log, what, &r);
      if (what == WEBSOCKET_MESSAGE) check_message(&r);
      if (what == WEBSOCKET_BROKEN || what == WEBSOCKET_CLOSED) break;
    }
  }
  websocket_reader_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2) return 0;
  buffer whole = {0}, pieces = {0};
  const char *bytes = (const char *)data + 2;
  read_all(data[0], bytes, size - 2, size, &whole);
  read_all(data[0], bytes, size - 2, 1u + data[1] % 16, &pieces);
  /* zlib looks beyond a small window where the output of the same call has what is asked for. */
  if (!(data[0] & SMALL_WINDOW))
    require(whole.length == pieces.length &&
            (!whole.length || !memcmp(whole.bytes, pieces.bytes, whole.length)));
  buffer_free(&whole);
  buffer_free(&pieces);
  return 0;
}
