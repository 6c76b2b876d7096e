/* Heads and bodies as bytes, without libcurl. */
#include "net/transfer/transfer_response.h"

#include "support/unit.h"

#include <stdlib.h>

static transfer_response answer(const char *head_text, bool streaming)
{
  transfer_response r = {.streaming = streaming, .decompress = true, .max_body = 1000};
  error e;
  head_init(&r.head, SIZE_MAX);
  head_reset(&r.head);
  while (*head_text) {
    size_t length = strcspn(head_text, "\n") + 1;
    check(head_line(&r.head, head_text, length, &e));
    head_text += length;
  }
  check(r.head.complete);
  return r;
}

#define LENGTH(n) "HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"
#define UNFRAMED  "HTTP/1.1 200 OK\r\n\r\n"
#define GZIP      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"

/* "hello", by gzip */
static const char hello[] = {0x1f,       (char)0x8b, 0x08, 0x00,       0x00,       0x00,       0x00,
                             0x00,       0x00,       0x03, (char)0xcb, 0x48,       (char)0xcd, (char)0xc9,
                             (char)0xc9, 0x07,       0x00, (char)0x86, (char)0xa6, 0x10,       0x36,
                             0x05,       0x00,       0x00, 0x00};

static void knows_what_ends_a_body(void)
{
  transfer_response r = answer(LENGTH("5"), false);
  check(!transfer_response_ends_with_connection(&r) && !transfer_response_has_no_body(&r));
  r.to_head = true;
  check(transfer_response_has_no_body(&r));
  transfer_response_free(&r);
  r = answer(UNFRAMED, false);
  check(transfer_response_ends_with_connection(&r));
  r.to_head = true;
  check(!transfer_response_ends_with_connection(&r));
  transfer_response_free(&r);
  r = answer("HTTP/1.1 204 No Content\r\n\r\n", false);
  check(transfer_response_has_no_body(&r) && !transfer_response_ends_with_connection(&r));
  transfer_response_free(&r);
}

static void misses_what_was_announced(void)
{
  error e;
  transfer_response r = answer(LENGTH("5"), false);
  check(transfer_response_receive(&r, "hel", 3, &e));
  check(!transfer_response_is_whole(&r, &e) && e.kind == ERROR_truncated);
  check(transfer_response_receive(&r, "lo", 2, &e) && transfer_response_is_whole(&r, &e));
  check_bytes(byte_queue_front(&r.body), byte_queue_length(&r.body), "hello");
  transfer_response_free(&r);
}

static void keeps_to_max_body_but_for_streams(void)
{
  static const char large[1001];
  error e;
  transfer_response r = answer(UNFRAMED, false);
  check(transfer_response_receive(&r, large, 1000, &e));
  check(!transfer_response_receive(&r, large, 1, &e));
  check(e.kind == ERROR_too_large && e.limit == 1000 && e.observed == 1001);
  transfer_response_free(&r);
  r = answer(UNFRAMED, true);
  check(transfer_response_receive(&r, large, 1001, &e));
  transfer_response_free(&r);
}

static void decodes_what_came(void)
{
  error e;
  transfer_response r = answer(GZIP, false);
  for (size_t i = 0; i < sizeof hello; i++)
    check(transfer_response_receive(&r, &hello[i], 1, &e) && transfer_response_decode(&r, SIZE_MAX, &e));
  check_bytes(byte_queue_front(&r.body), byte_queue_length(&r.body), "hello");
  check(!r.undecoded && transfer_response_is_whole(&r, &e) && transfer_response_end_decoding(&r, &e));
  transfer_response_free(&r);
  r = answer(GZIP, true);
  check(transfer_response_receive(&r, hello, sizeof hello, &e));
  check(byte_queue_length(&r.body) == 0);
  check(transfer_response_decode(&r, 5, &e));
  check_bytes(byte_queue_front(&r.body), byte_queue_length(&r.body), "hello");
  check(transfer_response_end_decoding(&r, &e) && !r.decoder);
  transfer_response_free(&r);
}

/* A zstd frame of 16 blocks of 128 KiB, each of one byte repeated. */
static size_t make_bomb(char *out)
{
  static const unsigned char frame_head[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 0x38};
  size_t length = sizeof frame_head;
  memcpy(out, frame_head, sizeof frame_head);
  for (int i = 0; i < 16; i++) {
    unsigned block = 128u << 10 << 3 | 2 | (i == 15);
    for (int k = 0; k < 3; k++) out[length++] = (char)(block >> 8 * k);
    out[length++] = 0;
  }
  return length;
}

static void decodes_in_turns(void)
{
  char bomb[128];
  error e;
  int turns = 1;
  transfer_response r =
      answer("HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nTransfer-Encoding: chunked\r\n\r\n", false);
  r.max_body = SIZE_MAX;
  check(transfer_response_receive(&r, bomb, make_bomb(bomb), &e));
  for (; transfer_response_decode(&r, SIZE_MAX, &e) && r.undecoded; turns++) {
    check(transfer_response_is_tired(&r));
    r.decoded = 0;
  }
  check(byte_queue_length(&r.body) == 16 * 128 * 1024);
  check(turns >= 16 && transfer_response_end_decoding(&r, &e));
  transfer_response_free(&r);
}

static void does_not_decode_parts(void)
{
  error e;
  transfer_response r =
      answer("HTTP/1.1 206 Part\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n", false);
  check(transfer_response_receive(&r, "ab", 2, &e) && !r.decoder && byte_queue_length(&r.body) == 2);
  transfer_response_free(&r);
}

static void misses_the_end_of_a_coding(void)
{
  error e;
  transfer_response r = answer(GZIP, false);
  check(transfer_response_receive(&r, hello, sizeof hello - 4, &e));
  check(transfer_response_decode(&r, SIZE_MAX, &e) && !r.undecoded);
  check(!transfer_response_end_decoding(&r, &e) && e.kind == ERROR_truncated);
  transfer_response_free(&r);
  r = answer(GZIP, true);
  check(transfer_response_receive(&r, hello, sizeof hello - 4, &e) && transfer_response_decode(&r, 9, &e));
  check(!transfer_response_end_decoding(&r, &e) && e.kind == ERROR_truncated);
  transfer_response_free(&r);
}

static void holds_the_peer_back_between_two_marks(void)
{
  char *much = calloc(1, 128 * 1024);
  error e;
  transfer_response r = answer(UNFRAMED, true);
  check(transfer_response_receive(&r, much, 128 * 1024 - 1, &e) && !transfer_response_is_full(&r));
  check(transfer_response_receive(&r, much, 1, &e) && transfer_response_is_full(&r));
  check(transfer_response_takes_more(&r, 1) && !transfer_response_takes_more(&r, 0)); /* of one read */
  check(!transfer_response_needs_more(&r));
  r.wanted = 200 * 1024; /* a long line */
  check(!transfer_response_is_full(&r) && transfer_response_needs_more(&r));
  r.wanted = 1;
  byte_queue_take(&r.body, 95 * 1024);
  check(!transfer_response_needs_more(&r));
  byte_queue_take(&r.body, 1024);
  check(transfer_response_needs_more(&r));
  transfer_response_free(&r);
  free(much);
}

static void keeps_little_memory_for_the_next(void)
{
  char piece[900] = {0};
  error e;
  transfer_response r = answer(LENGTH("900"), false);
  check(transfer_response_receive(&r, piece, sizeof piece, &e));
  const char *body = r.body.all.bytes, *block = r.head.block.bytes;
  transfer_response_reset(&r);
  check(r.body.all.bytes == body && r.head.block.bytes == block);
  check(!r.bytes_received && !byte_queue_length(&r.body) && !r.head.complete);
  transfer_response_free(&r);
}

int main(void)
{
  knows_what_ends_a_body();
  misses_what_was_announced();
  keeps_to_max_body_but_for_streams();
  decodes_what_came();
  decodes_in_turns();
  does_not_decode_parts();
  misses_the_end_of_a_coding();
  holds_the_peer_back_between_two_marks();
  keeps_little_memory_for_the_next();
  return unit_end();
}
