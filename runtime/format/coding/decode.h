/* Content decoding (gzip, deflate, br, zstd, several in turn), pushed: encoded bytes go in, decoded ones come
 * out at a sink in pieces small enough that the sink's own limit stops a decompression bomb. */
#ifndef LURCHER_NET_DECODE_H
#define LURCHER_NET_DECODE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
  DECODE_PIECE = 16 * 1024, /* most bytes a sink gets at once */
  DECODE_CODINGS_LIMIT = 5, /* most codings in turn */
};

typedef struct decoder decoder;

/* Takes 1 to DECODE_PIECE decoded bytes. False, with the error set, ends the decoding. */
typedef bool (*decode_sink)(void *user, const char *bytes, size_t length, error *e);

/* Makes a decoder for the value of a Content-Encoding header (several headers: joined by commas), owned by
 * the caller. *d is NULL when nothing needs decoding (no coding but "identity"). False with kind decode: an
 * unknown coding, or too many. */
bool decoder_create(decoder **d, const char *content_encoding, size_t length, decode_sink sink, void *user,
                    error *e);

/* Decodes a piece of the body; what it gives goes to the sink before this returns. False with kind decode
 * (bad data, or something behind its end) or the sink's error; then only decoder_free may follow. */
bool decoder_write(decoder *d, const char *bytes, size_t length, error *e);

/* The body is over. False with kind truncated when the coded data is not; a body of no bytes at all is fine.
 */
bool decoder_finish(decoder *d, error *e);

/* NULL is fine. */
void decoder_free(decoder *d);

#endif
