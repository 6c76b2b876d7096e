/* What is wrong with a text that is not JSON, in words. Plain C, no Lua. */
#ifndef LURCHER_FORMAT_JSON_EXPLAIN_H
#define LURCHER_FORMAT_JSON_EXPLAIN_H

#include <stddef.h>

enum { JSON_EXPLAIN_NEAR = 24 }; /* bytes of the text that are shown, from the place of the fault on */

/* Writes one line about what json_check found (cut to `size`): where it is, what is wrong, what stands there,
 * and a guess when the text looks like something else. Sets *line and *column, in characters, both from 1.
 * `text` may begin with a byte order mark, which counts in `position` only. */
void json_explain(const char *text, size_t length, const char *problem, size_t position, char *message,
                  size_t size, size_t *line, size_t *column);

#endif
