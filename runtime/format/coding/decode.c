#include "format/coding/decode.h"

#include "format/coding/decode_stage.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORK = 256 * 1024 /* bytes that a call moves before it says DECODE_BUSY */ };

struct decoder {
  bool begun;      /* a byte came in */
  uint64_t hidden; /* bytes that codings gave to others */
  uint64_t given;  /* bytes that the caller got */
  size_t count;
  decode_stage stages[DECODE_CODINGS_LIMIT]; /* in the order of decoding */
};

static const struct {
  const char *name;
  const decode_coding *coding;
} codings[] = {
    {"gzip", &decode_gzip}, {"x-gzip", &decode_gzip}, {"deflate", &decode_deflate},
    {"br", &decode_brotli}, {"zstd", &decode_zstd},
};

/* ---- Content-Encoding ---- */

static bool is_space(char c) { return c == ' ' || c == '\t'; }

static bool same(const char *text, size_t length, const char *name)
{
  if (length != strlen(name)) return false;
  for (size_t i = 0; i < length; i++) {
    char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
    if (c != name[i]) return false;
  }
  return true;
}

static bool unknown_coding(const char *name, size_t length, error *e)
{
  char shown[33];
  size_t i;
  for (i = 0; i < length && i < sizeof shown - 1; i++) {
    unsigned char c = (unsigned char)name[i];
    shown[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
  }
  shown[i] = 0;
  error_set(e, ERROR_decode, NULL,
            "unknown content coding \"%s%s\" (decompress=false gives the body as it came)", shown,
            i < length ? "…" : "");
  return false;
}

/* Splits the header's value into the codings it names, first one first. */
static bool parse_codings(const char *at, const char *end, const decode_coding **found, size_t *count,
                          error *e)
{
  *count = 0;
  while (at < end) {
    const char *comma = memchr(at, ',', (size_t)(end - at)), *name = at, *name_end = comma ? comma : end;
    at = comma ? comma + 1 : end;
    while (name < name_end && is_space(*name)) name++;
    while (name < name_end && is_space(name_end[-1])) name_end--;
    size_t length = (size_t)(name_end - name), i;
    if (length == 0 || same(name, length, "identity")) continue;
    for (i = 0; i < sizeof codings / sizeof *codings; i++) {
      if (same(name, length, codings[i].name)) break;
    }
    if (i == sizeof codings / sizeof *codings) return unknown_coding(name, length, e);
    if (*count == DECODE_CODINGS_LIMIT) {
      error_set(e, ERROR_decode, NULL, "more than %d content codings in turn", DECODE_CODINGS_LIMIT);
      return false;
    }
    found[(*count)++] = codings[i].coding;
  }
  return true;
}

/* ---- decoders ---- */

static bool add_stage(decoder *d, const decode_coding *coding)
{
  decode_stage *stage = &d->stages[d->count];
  *stage = (decode_stage){.coding = coding};
  if (d->count > 0 && !(stage->piece = malloc(DECODE_PIECE))) return false;
  if (!coding->start(stage)) {
    free(stage->piece);
    return false;
  }
  d->count++;
  return true;
}

bool decoder_create(decoder **result, const char *content_encoding, size_t length, error *e)
{
  const decode_coding *found[DECODE_CODINGS_LIMIT];
  size_t count;
  *result = NULL;
  if (length == 0) return true;
  if (!parse_codings(content_encoding, content_encoding + length, found, &count, e)) return false;
  if (count == 0) return true;
  decoder *d = calloc(1, sizeof *d);
  if (!d) return stage_out_of_memory(e);
  while (count-- > 0) { /* the coding named last was applied last */
    if (add_stage(d, found[count])) continue;
    decoder_free(d);
    return stage_out_of_memory(e);
  }
  *result = d;
  return true;
}

static bool hides_too_much(const decoder *d)
{
  return d->hidden > DECODE_MAX_HIDDEN && (d->hidden - DECODE_MAX_HIDDEN) / DECODE_HIDDEN_SHARE > d->given;
}

/* Has the i-th coding give what it can, the ones before it feeding it. `work` is what may be done yet. */
static decode_result pull(decoder *d, size_t i, decode_input *outer, char *out, size_t room, size_t *written,
                          size_t *work, error *e)
{
  decode_stage *stage = &d->stages[i];
  decode_input *in = i ? &stage->input : outer;
  for (;;) {
    if (*work == 0) return DECODE_BUSY;
    if (in->length == 0 && !stage->full) {
      if (i == 0) return DECODE_STARVED;
      size_t got = 0;
      decode_result result = pull(d, i - 1, outer, stage->piece, DECODE_PIECE, &got, work, e);
      if (result != DECODE_GIVEN) return result;
      stage->input = (decode_input){stage->piece, got};
      d->hidden += got;
      if (hides_too_much(d)) {
        stage_fail(&d->stages[i - 1], "decodes to coded data that gives next to nothing", NULL, e);
        return DECODE_FAILED;
      }
    }
    size_t before = in->length;
    *written = 0;
    if (!stage->coding->read(stage, in, out, room, written, e)) return DECODE_FAILED;
    size_t done = before - in->length + *written;
    *work -= done < *work ? done : *work;
    if (done == 0 && in->length > 0) { /* not known to happen; it would never end */
      stage_fail(stage, "is damaged", NULL, e);
      return DECODE_FAILED;
    }
    stage->full = *written == room;
    if (*written > 0) return DECODE_GIVEN;
  }
}

decode_result decoder_read(decoder *d, decode_input *in, char *out, size_t room, size_t *written, error *e)
{
  size_t work = WORK;
  *written = 0;
  if (in->length > 0) d->begun = true;
  decode_result result = pull(d, d->count - 1, in, out, room, written, &work, e);
  d->given += *written;
  return result;
}

bool decoder_finish(decoder *d, error *e)
{
  if (!d->begun) return true; /* the answer to a HEAD, a 304, … */
  for (size_t i = 0; i < d->count; i++) {
    const decode_stage *stage = &d->stages[i];
    if (stage->ended) continue;
    error_set(e, ERROR_truncated, NULL, "the %s body ends early", stage->coding->name);
    return false;
  }
  return true;
}

void decoder_free(decoder *d)
{
  if (!d) return;
  for (size_t i = 0; i < d->count; i++) {
    d->stages[i].coding->release(&d->stages[i]);
    free(d->stages[i].piece);
  }
  free(d);
}
