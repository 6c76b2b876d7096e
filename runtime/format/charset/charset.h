/* Character sets: bytes to UTF-8, by the labels of the WHATWG Encoding standard. Plain C. */
#ifndef LURCHER_FORMAT_CHARSET_H
#define LURCHER_FORMAT_CHARSET_H

#include "core/buffer.h"

#include <iconv.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct charset charset;

/* The character set that a label in any case means; NULL: none that is supported. "iso-8859-1" and "us-ascii"
 * mean windows-1252, the older East Asian names what grew out of them. */
const charset *charset_find(const char *label, size_t length);

/* Whether its text is UTF-8 already, so that a decoder checks it and writes nothing. */
bool charset_is_utf8(const charset *set);

/* A text on its way to UTF-8, in steps. */
typedef struct {
  const charset *set;
  iconv_t iconv; /* of a set that has no table here */
  size_t taken;  /* bytes of the text that are done; of bad text, where it is bad */
  buffer out;
} charset_decoder;

typedef enum { CHARSET_MORE, CHARSET_DONE, CHARSET_BAD, CHARSET_NO_MEMORY } charset_progress;

/* Begins to decode a text. False when the C library lacks the set; there is nothing to free then. */
bool charset_decoder_init(charset_decoder *d, const charset *set);

/* Decodes about `step` bytes more of `text`, the same at each call, which must be followed by a NUL. After
 * anything but CHARSET_MORE nothing is left to do but to take `out` and free it. */
charset_progress charset_decode(charset_decoder *d, const char *text, size_t length, size_t step);

void charset_decoder_deinit(charset_decoder *d);

#endif
