#include "format/coding/decode.h"

#include "format/coding/decode_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
  bool begun; /* a byte came in */
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

/* ---- stages ---- */

bool stage_emit(decode_stage *stage, const char *bytes, size_t length, error *e)
{
  if (length == 0) return true;
  decode_stage *next = stage->next;
  if (!next) return stage->sink(stage->user, bytes, length, e);
  return next->coding->write(next, bytes, length, e);
}

bool stage_fail(const decode_stage *stage, const char *what, const char *detail, error *e)
{
  error_set(e, ERROR_decode, NULL, "the %s body %s%s%s", stage->coding->name, what, detail ? ": " : "",
            detail ? detail : "");
  return false;
}

bool stage_out_of_memory(error *e)
{
  error_set(e, ERROR_limit, NULL, "out of memory");
  return false;
}

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

bool decoder_create(decoder **result, const char *content_encoding, size_t length, decode_sink sink,
                    void *user, error *e)
{
  const decode_coding *found[DECODE_CODINGS_LIMIT];
  size_t count;
  *result = NULL;
  if (length == 0) return true;
  if (!parse_codings(content_encoding, content_encoding + length, found, &count, e)) return false;
  if (count == 0) return true;
  decoder *d = calloc(1, sizeof *d);
  if (!d) return stage_out_of_memory(e);
  while (d->count < count) {
    decode_stage *stage = &d->stages[d->count];
    /* the coding named last was applied last */
    *stage = (decode_stage){.coding = found[count - 1 - d->count], .sink = sink, .user = user};
    if (!stage->coding->start(stage)) {
      decoder_free(d);
      return stage_out_of_memory(e);
    }
    if (d->count > 0) d->stages[d->count - 1].next = stage;
    d->count++;
  }
  *result = d;
  return true;
}

bool decoder_write(decoder *d, const char *bytes, size_t length, error *e)
{
  if (length == 0) return true;
  d->begun = true;
  return d->stages[0].coding->write(&d->stages[0], bytes, length, e);
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
  for (size_t i = 0; i < d->count; i++) d->stages[i].coding->release(&d->stages[i]);
  free(d);
}
