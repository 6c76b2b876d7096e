/* A WebSocket server that echoes short messages as fast as it can: websocket_server PORT. It answers whatever
 * looks like a handshake, trusts its clients, and waits for no slow one. "GET /" without a key is answered
 * with 400, which tells that it serves. */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { SIZE = 256 * 1024 };

typedef struct connection {
  uv_tcp_t tcp;
  char *pending; /* bytes of a handshake or a frame that is not whole */
  size_t length;
  int open;
} connection;

static char input[SIZE], output[2 * SIZE];

static void on_closed(uv_handle_t *handle)
{
  free(((connection *)handle)->pending);
  free(handle);
}

static void close_connection(connection *c)
{
  if (!uv_is_closing((uv_handle_t *)&c->tcp)) uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void send_bytes(connection *c, const char *bytes, size_t length)
{
  uv_buf_t buffer = uv_buf_init((char *)bytes, (unsigned)length);
  if (length && uv_try_write((uv_stream_t *)&c->tcp, &buffer, 1) != (int)length) close_connection(c);
}

/* Returns how many bytes it took; 0: not whole yet. */
static size_t shake_hands(connection *c, char *bytes, size_t length)
{
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", name[] = "sec-websocket-key:";
  char answer[256], text[128];
  unsigned char digest[20], accept[32];
  char *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (!end) return 0;
  *end = 0;
  char *key = strcasestr(bytes, name);
  if (!key) {
    static const char refusal[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    send_bytes(c, refusal, sizeof refusal - 1);
    return length;
  }
  key += sizeof name - 1;
  key += strspn(key, " ");
  snprintf(text, sizeof text, "%.24s%s", key, guid);
  SHA1((unsigned char *)text, strlen(text), digest);
  EVP_EncodeBlock(accept, digest, sizeof digest);
  int size = snprintf(answer, sizeof answer,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: %s\r\n\r\n",
                      accept);
  send_bytes(c, answer, (size_t)size);
  c->open = 1;
  return (size_t)(end - bytes) + 4;
}

/* Frames of at most 65,535 bytes; their answers go to `out`. Returns how many bytes it took. */
static size_t echo(const unsigned char *bytes, size_t length, char **out)
{
  size_t taken = 0;
  while (length - taken >= 6) {
    const unsigned char *frame = bytes + taken;
    size_t payload = frame[1] & 0x7f, header = 2;
    if (payload == 126) payload = (size_t)frame[2] << 8 | frame[3], header = 4;
    if (length - taken < header + 4 + payload) break;
    const unsigned char *mask = frame + header, *from = mask + 4;
    *(*out)++ = (char)((frame[0] & 0x0f) == 9 ? 0x8a : frame[0]);
    if (header == 4) {
      memcpy(*out, (char[]){126, (char)frame[2], (char)frame[3]}, 3);
      *out += 3;
    } else {
      *(*out)++ = (char)payload;
    }
    for (size_t i = 0; i < payload; i++) *(*out)++ = (char)(from[i] ^ mask[i & 3]);
    taken += header + 4 + payload;
  }
  return taken;
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *unused)
{
  connection *c = (connection *)stream;
  (void)unused;
  if (length < 0) {
    close_connection(c);
    return;
  }
  size_t all = c->length + (size_t)length, taken = 0;
  char *out = output;
  if (!c->open) taken = shake_hands(c, input, all);
  if (c->open) taken += echo((unsigned char *)input + taken, all - taken, &out);
  send_bytes(c, output, (size_t)(out - output));
  c->length = all - taken;
  free(c->pending);
  c->pending = c->length ? malloc(c->length) : NULL;
  if (c->pending) memcpy(c->pending, input + taken, c->length);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  connection *c = (connection *)handle;
  (void)suggested;
  if (c->length) memcpy(input, c->pending, c->length);
  *buffer = uv_buf_init(input + c->length, (unsigned)(SIZE - c->length));
}

static void on_connection(uv_stream_t *listener, int status)
{
  connection *c = status ? NULL : calloc(1, sizeof *c);
  if (!c) return;
  uv_tcp_init(listener->loop, &c->tcp);
  if (uv_accept(listener, (uv_stream_t *)&c->tcp) || uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read))
    close_connection(c);
  else
    uv_tcp_nodelay(&c->tcp, 1);
}

int main(int count, char **arguments)
{
  struct sockaddr_in address;
  uv_tcp_t listener;
  uv_loop_t *loop = uv_default_loop();
  if (count != 2 || uv_ip4_addr("127.0.0.1", atoi(arguments[1]), &address)) return 2;
  uv_tcp_init(loop, &listener);
  if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) ||
      uv_listen((uv_stream_t *)&listener, 4096, on_connection))
    return 1;
  return uv_run(loop, UV_RUN_DEFAULT);
}
