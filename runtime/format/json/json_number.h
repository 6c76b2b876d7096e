/* Numbers of JSON text. */
#ifndef LURCHER_FORMAT_JSON_NUMBER_H
#define LURCHER_FORMAT_JSON_NUMBER_H

/* The double nearest to the number that begins at `p`, whatever the process's locale is; `*end` is behind it.
 * The text has been checked: it is a JSON number, and what follows ends it. */
double json_read_number(const char *p, const char **end);

#endif
