/* JSON texts as runs of tokens, whatever stands between these: where a value ends, and a text with nothing
 * between its tokens. Neither checks more than it has to know. */
#ifndef LURCHER_FORMAT_JSON_LAYOUT_H
#define LURCHER_FORMAT_JSON_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

/* Where the value ends that begins at `from`: one byte behind it; 0 when it does not. */
size_t json_value_end(const char *text, size_t length, size_t from);

/* Writes the text without what stands between its tokens, which takes no more room than it does; `spaced`:
 * with a space behind each comma and colon, at most twice the room. Returns how many bytes. */
size_t json_join(char *out, const char *text, size_t length, bool spaced);

#endif
