#include "format/coding/decode.h"

#include "core/buffer.h"
#include "support/unit.h"

#include <brotli/encode.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

static error e;

/* ---- encoders ---- */

typedef enum { GZIP, WRAPPED, RAW, BROTLI, ZSTD } format;

static void deflate_to(buffer *out, const char *bytes, size_t length, int window)
{
  z_stream stream = {0};
  deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  buffer_reserve(out, deflateBound(&stream, length) + 64);
  stream.next_in = (Bytef *)bytes;
  stream.avail_in = (uInt)length;
  stream.next_out = (Bytef *)out->bytes + out->length;
  stream.avail_out = (uInt)(out->capacity - out->length);
  check(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out->length += stream.total_out;
  deflateEnd(&stream);
}

static void encode(buffer *out, const char *bytes, size_t length, format how)
{
  size_t size;
  switch (how) {
  case GZIP:
    deflate_to(out, bytes, length, 31);
    break;
  case WRAPPED:
    deflate_to(out, bytes, length, 15);
    break;
  case RAW:
    deflate_to(out, bytes, length, -15);
    break;
  case BROTLI:
    size = BrotliEncoderMaxCompressedSize(length) + 64;
    buffer_reserve(out, size);
    check(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, length, (const uint8_t *)bytes, &size,
                                (uint8_t *)out->bytes + out->length));
    out->length += size;
    break;
  case ZSTD:
    size = ZSTD_compressBound(length);
    buffer_reserve(out, size);
    out->length += ZSTD_compress(out->bytes + out->length, size, bytes, length, 3);
    break;
  }
}

static const struct {
  format how;
  const char *name, *shown;
} formats[] = {{GZIP, "gzip", "gzip"},
               {WRAPPED, "deflate", "deflate"},
               {RAW, "deflate", "deflate"},
               {BROTLI, "br", "br"},
               {ZSTD, "zstd", "zstd"}};
enum { FORMATS = sizeof formats / sizeof *formats };

/* ---- decoding ---- */

static size_t room = 16 * 1024; /* that a decoder has at a time */

static decoder *create(const char *encoding)
{
  decoder *d;
  e = (error){0};
  if (!check(decoder_create(&d, encoding, strlen(encoding), &e))) fprintf(stderr, "  %s\n", e.message);
  return d;
}

/* Decodes all of a piece; what it gives is appended, up to `most` bytes. */
static bool decode_piece(decoder *d, const char *bytes, size_t length, buffer *out, size_t most)
{
  decode_input in = {bytes, length};
  char *piece = malloc(room);
  decode_result result;
  bool fits = true;
  do {
    size_t got;
    result = decoder_read(d, &in, piece, room, &got, &e);
    if (got > room || (result == DECODE_GIVEN) != (got > 0)) fits = false;
    buffer_append(out, piece, got);
  } while ((result == DECODE_GIVEN || result == DECODE_BUSY) && out->length < most);
  check(fits && (result != DECODE_STARVED || in.length == 0));
  free(piece);
  return result != DECODE_FAILED;
}

/* In one piece, or with one cut, or byte by byte (cut SIZE_MAX). Each piece is a copy of its own, so that
 * reading past its end is seen by the address sanitizer. */
static bool decode_cut(buffer *out, const char *encoding, const char *bytes, size_t length, size_t cut)
{
  decoder *d = create(encoding);
  bool well = d;
  size_t at = 0;
  while (well && at < length) {
    size_t size = cut == SIZE_MAX ? 1 : at < cut && cut < length ? cut - at : length - at;
    char *piece = malloc(size);
    memcpy(piece, bytes + at, size);
    well = decode_piece(d, piece, size, out, SIZE_MAX);
    free(piece);
    at += size;
  }
  well = well && decoder_finish(d, &e);
  decoder_free(d);
  return well;
}

static bool decode(buffer *out, const char *encoding, const buffer *in)
{
  out->length = 0;
  return decode_cut(out, encoding, in->bytes, in->length, 0);
}

static bool is_text(const buffer *b, const char *bytes, size_t length)
{
  return b->length == length && (length == 0 || memcmp(b->bytes, bytes, length) == 0);
}

static const char text[] =
    "{\"id\":1,\"name\":\"Lurcher\"} {\"id\":2,\"name\":\"Lurcher, again\"} {\"id\":3}";
enum { TEXT = sizeof text - 1 };

/* ---- tests ---- */

static void decodes_every_coding_cut_anywhere(void)
{
  buffer in = {0}, out = {0};
  for (size_t i = 0; i < FORMATS; i++) {
    in.length = 0;
    encode(&in, text, TEXT, formats[i].how);
    for (size_t cut = 0; cut < in.length; cut++) {
      out.length = 0;
      check(decode_cut(&out, formats[i].name, in.bytes, in.length, cut) && is_text(&out, text, TEXT));
    }
    out.length = 0;
    check(decode_cut(&out, formats[i].name, in.bytes, in.length, SIZE_MAX) && is_text(&out, text, TEXT));
  }
  buffer_free(&in);
  buffer_free(&out);
}

static void says_when_the_body_ends_early(void)
{
  buffer in = {0}, out = {0};
  char wanted[64];
  for (size_t i = 0; i < FORMATS; i++) {
    in.length = 0;
    encode(&in, text, TEXT, formats[i].how);
    snprintf(wanted, sizeof wanted, "the %s body ends early", formats[i].shown);
    for (size_t length = 1; length < in.length; length++) {
      out.length = 0;
      check(!decode_cut(&out, formats[i].name, in.bytes, length, 0));
      check(e.kind == ERROR_truncated);
      check_string(e.message, wanted);
      check(out.length <= TEXT && is_text(&out, text, out.length));
    }
  }
  buffer_free(&in);
  buffer_free(&out);
}

static void takes_an_empty_body(void)
{
  buffer in = {0}, out = {0};
  for (size_t i = 0; i < FORMATS; i++) {
    check(decode_cut(&out, formats[i].name, "", 0, 0) && out.length == 0);
    in.length = 0;
    encode(&in, "", 0, formats[i].how);
    check(decode(&out, formats[i].name, &in) && out.length == 0);
  }
  buffer_free(&in);
  buffer_free(&out);
}

static void decodes_large_bodies_in_small_pieces(void)
{
  size_t length = 1 << 20;
  char *bytes = malloc(length);
  uint32_t random = 1;
  for (size_t i = 0; i < length; i++) { /* compresses, but not well */
    random = random * 1664525 + 1013904223;
    bytes[i] = "abcdefghijklmnop"[random >> 28];
  }
  buffer in = {0}, out = {0};
  for (size_t i = 0; i < FORMATS; i++) {
    in.length = out.length = 0;
    encode(&in, bytes, length, formats[i].how);
    for (room = 1 << 18; room > 0; room >>= 3) /* room for one byte is room */
      check(decode(&out, formats[i].name, &in) && is_text(&out, bytes, length));
    room = 16 * 1024;
  }
  free(bytes);
  buffer_free(&in);
  buffer_free(&out);
}

static void decodes_several_in_turn(void)
{
  buffer a = {0}, b = {0}, out = {0};
  encode(&a, text, TEXT, RAW);
  encode(&b, a.bytes, a.length, BROTLI);
  check(decode(&out, "deflate, br", &b) && is_text(&out, text, TEXT));
  check(decode(&out, " Deflate ,identity,, BR", &b) && is_text(&out, text, TEXT));
  out.length = 0;
  check(decode_cut(&out, "deflate,br", b.bytes, b.length, SIZE_MAX) && is_text(&out, text, TEXT));
  check(!decode_cut(&out, "deflate,br", b.bytes, b.length - 1, 0) && e.kind == ERROR_truncated);

  buffer_free(&a);
  buffer_append(&a, text, TEXT);
  for (int i = 0; i < 5; i++) {
    b.length = 0;
    encode(&b, a.bytes, a.length, GZIP);
    a.length = 0;
    buffer_append(&a, b.bytes, b.length);
  }
  check(decode(&out, "gzip, x-gzip, gzip, X-GZIP, gzip", &a) && is_text(&out, text, TEXT));
  b.length = 0; /* the inner body is cut before it was coded again */
  buffer inner = {0};
  encode(&inner, text, TEXT, GZIP);
  encode(&b, inner.bytes, inner.length - 3, ZSTD);
  check(!decode(&out, "gzip, zstd", &b) && e.kind == ERROR_truncated);
  check_string(e.message, "the gzip body ends early");
  buffer_free(&inner);
  buffer_free(&a);
  buffer_free(&b);
  buffer_free(&out);
}

static void check_unusable(const char *encoding, const char *message)
{
  decoder *d;
  e = (error){0};
  check(!decoder_create(&d, encoding, strlen(encoding), &e) && !d && e.kind == ERROR_decode);
  check_string(e.message, message);
}

static void knows_what_needs_decoding(void)
{
  static const char *const plain[] = {"", " ", ",", "identity", "Identity, identity"};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) check(!create(plain[i]));
  check_unusable("compress",
                 "unknown content coding \"compress\" (decompress=false gives the body as it came)");
  check_unusable("gzip, x\x01y",
                 "unknown content coding \"x?y\" (decompress=false gives the body as it came)");
  check_unusable("gzip;q=1",
                 "unknown content coding \"gzip;q=1\" (decompress=false gives the body as it came)");
  check_unusable("abcdefghijklmnopqrstuvwxyz0123456789",
                 "unknown content coding \"abcdefghijklmnopqrstuvwxyz012345…\" "
                 "(decompress=false gives the body as it came)");
  check_unusable("gzip,gzip,gzip,gzip,gzip,gzip", "more than 5 content codings in turn");
  decoder_free(NULL);
}

static void accepts_gzip_members_and_padding(void)
{
  buffer in = {0}, out = {0};
  encode(&in, text, 10, GZIP);
  encode(&in, "", 0, GZIP);
  encode(&in, text + 10, TEXT - 10, GZIP);
  for (size_t cut = 0; cut < in.length; cut++) {
    out.length = 0;
    check(decode_cut(&out, "gzip", in.bytes, in.length, cut) && is_text(&out, text, TEXT));
  }
  size_t length = in.length;
  buffer_append(&in, "\0\0\0", 3);
  check(decode(&out, "gzip", &in) && is_text(&out, text, TEXT));
  out.length = 0;
  check(decode_cut(&out, "gzip", in.bytes, in.length, SIZE_MAX) && is_text(&out, text, TEXT));
  buffer_append(&in, "\x1f", 1);
  check(!decode(&out, "gzip", &in) && e.kind == ERROR_decode);
  check_string(e.message, "the gzip body has something behind its end");
  out.length = 0;
  check(!decode_cut(&out, "gzip", in.bytes, in.length, SIZE_MAX) && e.kind == ERROR_decode);
  in.length = length;
  buffer_append(&in, "\x1f", 1);
  check(!decode(&out, "gzip", &in) && e.kind == ERROR_truncated);
  buffer_append(&in, "\x8c", 1);
  check(!decode(&out, "gzip", &in) && e.kind == ERROR_decode);

  /* zstd frames in a row, as pzstd writes them */
  in.length = 0;
  encode(&in, text, 10, ZSTD);
  encode(&in, text + 10, TEXT - 10, ZSTD);
  for (size_t cut = 0; cut < in.length; cut++) {
    out.length = 0;
    check(decode_cut(&out, "zstd", in.bytes, in.length, cut) && is_text(&out, text, TEXT));
  }
  buffer_free(&in);
  buffer_free(&out);
}

static void refuses_garbage_behind_the_end(void)
{
  buffer in = {0}, out = {0};
  for (size_t i = 0; i < FORMATS; i++) {
    in.length = 0;
    encode(&in, text, TEXT, formats[i].how);
    buffer_append(&in, "garbage", 7);
    for (size_t cut = 0; cut < in.length; cut++) {
      out.length = 0;
      check(!decode_cut(&out, formats[i].name, in.bytes, in.length, cut) && e.kind == ERROR_decode);
      check(is_text(&out, text, TEXT));
    }
    out.length = 0;
    check(!decode_cut(&out, formats[i].name, in.bytes, in.length, SIZE_MAX) && e.kind == ERROR_decode);
  }
  buffer_free(&in);
  buffer_free(&out);
}

static void refuses_damaged_data(void)
{
  static const char plain[] = "this is not compressed at all, whatever the header says";
  buffer in = {0}, out = {0};
  for (size_t i = 0; i < FORMATS; i++) {
    out.length = 0;
    check(!decode_cut(&out, formats[i].name, plain, sizeof plain - 1, 0));
    check(e.kind == ERROR_decode || e.kind == ERROR_truncated);
    in.length = 0;
    encode(&in, text, TEXT, formats[i].how);
    for (size_t at = 0; at < in.length; at++) { /* must end one way or another */
      for (int bit = 0; bit < 8; bit++) {
        in.bytes[at] ^= (char)(1 << bit);
        if (!decode(&out, formats[i].name, &in)) check(e.kind == ERROR_decode || e.kind == ERROR_truncated);
        in.bytes[at] ^= (char)(1 << bit);
      }
    }
  }
  in.length = 0;
  encode(&in, text, TEXT, GZIP);
  in.bytes[in.length - 5] ^= 1; /* the checksum */
  check(!decode(&out, "gzip", &in) && e.kind == ERROR_decode);
  check_string(e.message, "the gzip body is damaged: incorrect data check");
  check(!decode_cut(&out, "gzip", plain, sizeof plain - 1, 0) && e.kind == ERROR_decode);
  check_string(e.message, "the gzip body is damaged: incorrect header check");
  check(!decode_cut(&out, "zstd", plain, sizeof plain - 1, 0) && e.kind == ERROR_decode);
  check_string(e.message, "the zstd body is not zstd data");
  check(!decode_cut(&out, "deflate", "\x78\xbb\0\0\0\0", 6, 0) &&
        e.kind == ERROR_decode); /* wants a dictionary */
  check_string(e.message, "the deflate body is damaged");
  /* brotli: a large window (bits 0010001 first) */
  check(!decode_cut(&out, "br", "\x11\x1e\0\0\0\0", 6, 0) && e.kind == ERROR_decode);
  /* zstd: window log 31 */
  check(!decode_cut(&out, "zstd", "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9, 0) && e.kind == ERROR_decode);
  check_string(e.message, "the zstd body asks for too large a window");
  /* zstd: the format of version 0.5 */
  check(!decode_cut(&out, "zstd", "\x25\xb5\x2f\xfd\x04\xff\xff\xff", 8, 0) && e.kind == ERROR_decode);
  check_string(e.message, "the zstd body is not zstd data");
  buffer_free(&in);
  buffer_free(&out);
}

/* A little that becomes much is given as slowly as it is taken. */
static void gives_no_more_than_is_asked_for(void)
{
  size_t length = 64 << 20;
  char *zeros = calloc(1, length);
  for (size_t i = 0; i < FORMATS; i++) {
    buffer in = {0}, out = {0};
    encode(&in, zeros, length, formats[i].how);
    decoder *d = create(formats[i].name);
    check(decode_piece(d, in.bytes, in.length, &out, 1000000));
    check(out.length >= 1000000 && out.length <= 1000000 + room);
    decoder_free(d);
    buffer_free(&in);
    buffer_free(&out);
  }
  free(zeros);
}

/* How often a decoder asks for a turn of others until it ends; UINT_MAX: it does not end. */
static unsigned turns(const char *encoding, const buffer *in, decode_result *end)
{
  decoder *d = create(encoding);
  decode_input left = {in->bytes, in->length};
  char piece[4096];
  size_t got;
  unsigned count = 0;
  while ((*end = decoder_read(d, &left, piece, sizeof piece, &got, &e)) == DECODE_BUSY ||
         *end == DECODE_GIVEN)
    if (++count == 100000) break;
  decoder_free(d);
  return count == 100000 ? UINT_MAX : count;
}

/* Gigabytes of zeros behind a gzip body, in a few hundred bytes. */
static void ends_at_much_padding(void)
{
  static const char head[] = "\x28\xb5\x2f\xfd\x00\x38"; /* zstd, a window of 128 KiB */
  buffer in = {0}, padded = {0};
  encode(&padded, text, 10, GZIP);
  encode(&in, padded.bytes, padded.length, ZSTD);
  buffer_append(&in, head, 6);
  for (int i = 0; i < 65536; i++) { /* 8 GiB: blocks of one byte, repeated */
    uint32_t block = 1 << 1 | 128 * 1024 << 3;
    buffer_append(&in, (char *)&block, 3);
    buffer_append(&in, "", 1);
  }
  decode_result end;
  unsigned count = turns("gzip, zstd", &in, &end);
  check(end == DECODE_FAILED && e.kind == ERROR_decode && count < 50);
  check_string(e.message, "the gzip body has too many zeros behind its end");
  buffer whole = {0}; /* once more around it */
  encode(&whole, in.bytes, in.length, ZSTD);
  count = turns("gzip, zstd, zstd", &whole, &end);
  check(end == DECODE_FAILED && count < 100);
  check_string(e.message, "the gzip body has too many zeros behind its end");
  buffer_free(&in);
  buffer_free(&padded);
  buffer_free(&whole);
}

/* Bodies of nothing, over and over, within another coding. */
static void ends_at_much_that_decodes_to_nothing(void)
{
  buffer one = {0}, many = {0};
  encode(&one, "", 0, GZIP);
  while (many.length < DECODE_MAX_HIDDEN + (1 << 20)) buffer_append(&many, one.bytes, one.length);
  for (size_t i = 0; i < FORMATS; i++) {
    if (formats[i].how == RAW || formats[i].how == WRAPPED) continue;
    buffer in = {0};
    char encoding[32];
    decode_result end;
    encode(&in, many.bytes, many.length, formats[i].how);
    snprintf(encoding, sizeof encoding, "gzip, %s", formats[i].name);
    unsigned count = turns(encoding, &in, &end);
    check(end == DECODE_FAILED && e.kind == ERROR_decode && count > 100 &&
          count < 1000); /* others had turns */
    check(strstr(e.message, "decodes to coded data that gives next to nothing"));
    buffer_free(&in);
  }
  buffer_free(&one);
  buffer_free(&many);
}

/* What is hidden is measured by what is given: an honest body of any size passes. */
static void passes_large_honest_bodies(void)
{
  size_t length = 96 << 20;
  char *bytes = malloc(length);
  uint32_t random = 1;
  for (size_t i = 0; i < length; i++) {
    random = random * 1664525 + 1013904223;
    bytes[i] = (char)(random >> 24);
  }
  buffer a = {0}, b = {0};
  encode(&a, bytes, length, ZSTD);
  encode(&b, a.bytes, a.length, ZSTD);
  decoder *d = create("zstd, zstd");
  decode_input left = {b.bytes, b.length};
  char piece[16384];
  size_t got, all = 0;
  decode_result result;
  while ((result = decoder_read(d, &left, piece, sizeof piece, &got, &e)) == DECODE_BUSY ||
         result == DECODE_GIVEN)
    all += got;
  check(result == DECODE_STARVED && all == length && decoder_finish(d, &e));
  decoder_free(d);
  free(bytes);
  buffer_free(&a);
  buffer_free(&b);
}

int main(void)
{
  decodes_every_coding_cut_anywhere();
  says_when_the_body_ends_early();
  takes_an_empty_body();
  decodes_large_bodies_in_small_pieces();
  decodes_several_in_turn();
  knows_what_needs_decoding();
  accepts_gzip_members_and_padding();
  refuses_garbage_behind_the_end();
  refuses_damaged_data();
  gives_no_more_than_is_asked_for();
  ends_at_much_padding();
  ends_at_much_that_decodes_to_nothing();
  passes_large_honest_bodies();
  return unit_end();
}
