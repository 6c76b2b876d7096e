/* Numbers and strings as JSON writes them. Plain C, no Lua. */
#ifndef LURCHER_FORMAT_JSON_WRITE_H
#define LURCHER_FORMAT_JSON_WRITE_H

#include <stddef.h>

enum { JSON_NUMBER_SIZE = 32 };

/* Writes a finite number as JavaScript does (ECMA-262, Number::toString; -0 with its sign), with as few
 * digits as read back as the same double. Returns the length. */
size_t json_write_number(double value, char out[JSON_NUMBER_SIZE]);

/* The length of a string in quotes with its escapes; 0 when it is not UTF-8. text[length] must be NUL. */
size_t json_quoted_length(const char *text, size_t length);

/* Writes it: `quoted` is what json_quoted_length gave. Returns `quoted`. */
size_t json_write_string(const char *text, size_t length, size_t quoted, char *out);

#endif
